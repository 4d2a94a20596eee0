"""Looking for images: an index (Docker Hub's API, or docker's first), or a registry's catalogue.

Docker Hub answers ``/v2/search/repositories``; what was docker's first API, ``/v1/search``, is still
answered by it, Quay and others; a plain registry lists its repositories in ``/v2/_catalog``
(distribution, "Listing Repositories"), if it does.
"""

from collections import namedtuple
from itertools import chain

from udocker.errors import CorruptData, NotFound, RegistryError
from udocker.model.jsontext import loads
from udocker.model.oci import MAX_DOCUMENT
from udocker.registry.auth import LISTING
from udocker.registry.failures import ConnectionFailed

#: Results asked for at a time: what Docker Hub gives at most, and what registries do by themselves.
PAGE, CATALOG_PAGE = 100, 1000
#: Pages of results: Docker Hub stops long before.
MAX_PAGES = 100


class Hit(namedtuple("Hit", "name description stars is_official is_automated")):
    """A repository that was found: name, description (str, as the server has them), stars (int)."""

    __slots__ = ()


def search_index(session, word):
    """Yield the Hits for ``word`` (str) in the index of ``session`` (Session)."""
    return _first_that_answers(session, [_search_v2, _search_v1], word)


def search_registry(session, word):
    """Yield the Hits for ``word`` (str) in a registry: its search, or its list of repositories."""
    return _first_that_answers(session, [_search_v1, _search_catalog], word)


def _first_that_answers(session, ways, word):
    """The Hits of the first of ``ways`` that the server knows; the error of the last otherwise."""
    for way in ways:
        hits = way(session, word)
        try:
            first = next(hits, None)
        except ConnectionFailed:
            raise
        except (RegistryError, NotFound, CorruptData) as error:
            failure = error
            continue
        return hits if first is None else chain([first], hits)
    if isinstance(failure, (NotFound, CorruptData)):
        raise NotFound("%s has no search and no list of images" % session.endpoint.name,
                       "name an index with --index=URL, or a registry with --registry=URL")
    raise failure


def _search_v2(session, word):
    url = session.url("search/repositories")
    return _search(session, url, {"query": word, "page_size": PAGE},
                   ("repo_name", "short_description"),
                   lambda document, seen: bool(document.get("next")) and seen < _count(
                       document.get("count", 0)))


def _search_v1(session, word):
    from urllib.parse import urljoin
    url = urljoin(session.url(""), "../v1/search")
    return _search(session, url, {"q": word, "n": PAGE}, ("name", "description"),
                   lambda document, seen: seen < _count(document.get("num_results", 0)))


def _search(session, url, query, keys, has_more):
    from urllib.parse import urlencode
    seen = 0
    for page in range(1, MAX_PAGES + 1):
        asked = urlencode(dict(query, page=page), errors="surrogateescape")
        _, raw = session.read(LISTING, "%s?%s" % (url, asked), "search", MAX_DOCUMENT)
        try:
            document = loads(raw)
            results = document["results"]
            hits = [_hit(result, *keys) for result in results if isinstance(result, dict)]
        except (ValueError, KeyError, TypeError):
            raise CorruptData("%s answers a search with what is no list of results"
                              % session.endpoint.name)
        for hit in hits:
            yield hit
        seen += len(results)
        if not results or not has_more(document, seen):
            return


def _search_catalog(session, word):
    url = session.url("_catalog?n=%d" % CATALOG_PAGE)
    for page in session.pages(LISTING, url, "repositories"):
        names = page.get("repositories") if isinstance(page, dict) else None
        if not isinstance(names, list) and names is not None:
            raise CorruptData("the repositories on %s are not a list" % session.endpoint.name)
        for name in names or ():
            if isinstance(name, str) and word.lower() in name.lower():
                yield Hit(name, "", 0, False, False)


def _hit(result, name, description):
    return Hit(_text(result.get(name)), _text(result.get(description)),
               _count(result.get("star_count")), result.get("is_official") is True,
               result.get("is_automated") is True)


def _text(value):
    return value if isinstance(value, str) else ""


def _count(value):
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
