"""What a fake registry can do wrong, as values."""

from collections import namedtuple

_SETTINGS = {
    "status": None, "headers": (), "body": b"",  # answer this and nothing else
    "content_type": None,                        # call the document something else
    "cut": None,                                 # hang up after so many bytes of body
    "flip": None,                                # turn over the byte at this position
    "extra": b"", "short": 0,                    # more or fewer bytes, consistently announced
    "announce": 0,                               # add this to Content-Length only
    "lie": None,                                 # Docker-Content-Digest
    "etag": None,
    "ignore_range": False, "refuse_range": False, "wrong_range": False,
    "only_range": False,                         # the fault is for requests with a Range
    "only_login": False,                         # the fault is for requests with an Authorization
    "endless": False,                            # a body that never ends
    "chunked": False,                            # no Content-Length, Transfer-Encoding: chunked
    "encode": False,                             # compress as it goes, with Content-Encoding: gzip
    "method": None,                              # the fault is for requests with this method
    "cut_request": None,                         # hang up after so many bytes of the request's body
    "wait": 0,                                   # seconds before the request's body is read
    "delay": 0,                                  # seconds before each piece of the body
}
Fault = namedtuple("Fault", ["match", "times"] + sorted(_SETTINGS))


def make_fault(match, times=None, **what):
    """The Fault that does ``what`` for requests whose path (with query) contains ``match``.

    times (int): for how many of them; None for all.
    """
    return Fault(**dict(_SETTINGS, **dict(what, match=match, times=times)))


NO_FAULT = make_fault("")
