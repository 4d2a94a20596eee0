"""What the fake registry lists: its repositories, and what an index answers to a search."""

from urllib.parse import parse_qs, urlsplit


class Index(object):
    """hits (list of dict, as Docker Hub has them), page (int: the most it gives at a time)."""

    def __init__(self, hits, page=100):
        self.hits, self.page = hits, page

    def answer(self, url, request):
        """Return the document for a request of ``/v2/search/repositories`` or ``/v1/search``."""
        query = {key: values[0] for key, values in
                 parse_qs(urlsplit(request.path).query, keep_blank_values=True).items()}
        is_first_api = "/v1/" in request.path
        word = query["q" if is_first_api else "query"]
        found = [hit for hit in self.hits if word in hit["repo_name"]]
        number = int(query.get("page", 1))
        size = min(self.page, int(query.get("n" if is_first_api else "page_size", 25)))
        part = found[(number - 1) * size:number * size]
        if is_first_api:
            return {"num_results": len(found), "page": number, "results": [
                {"name": hit["repo_name"], "description": hit.get("short_description"),
                 "star_count": hit.get("star_count", 0),
                 "is_official": hit.get("is_official", False)} for hit in part]}
        more = number * size < len(found)
        return {"count": len(found), "next": url + request.path if more else None, "results": part}


def catalog(registry, request):
    """Return (document, headers) for a request of ``/v2/_catalog``."""
    query = parse_qs(urlsplit(request.path).query)
    names = [name for name in sorted(registry.tags) if name > query.get("last", [""])[0]]
    size = registry.page or int(query.get("n", ["100"])[0])
    headers = {}
    if len(names) > size:
        names = names[:size]
        headers["Link"] = '</v2/_catalog?last=%s&n=%d>; rel="next"' % (names[-1], size)
    return {"repositories": names}, headers
