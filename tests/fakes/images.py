"""Images for tests, made in a few lines.

    base = layer({"etc/": DIRECTORY, "etc/motd": b"hello\n", "bin/sh": Link("busybox")})
    top = layer({"etc/motd": WHITEOUT})
    picture = image([base, top], config={"Cmd": ["/bin/sh"]}, architecture="arm64")
    both = index([image([base]), picture])

An image knows its ``blobs`` (bytes by digest), its ``manifest`` (bytes) and ``digest``, and can be
written as an OCI layout or a docker-archive, or pushed to any registry. What is made is the same
bytes every time.
"""

import gzip
import hashlib
import io
import json
import os
import tarfile
from collections import namedtuple

OCI = {
    "index": "application/vnd.oci.image.index.v1+json",
    "manifest": "application/vnd.oci.image.manifest.v1+json",
    "config": "application/vnd.oci.image.config.v1+json",
    "tar": "application/vnd.oci.image.layer.v1.tar",
    "gzip": "application/vnd.oci.image.layer.v1.tar+gzip",
}
DOCKER = {
    "index": "application/vnd.docker.distribution.manifest.list.v2+json",
    "manifest": "application/vnd.docker.distribution.manifest.v2+json",
    "config": "application/vnd.docker.container.image.v1+json",
    "tar": "application/vnd.docker.image.rootfs.diff.tar",
    "gzip": "application/vnd.docker.image.rootfs.diff.tar.gzip",
}

#: What may stand for the content of a file.
WHITEOUT = object()   # the file is deleted: ``.wh.<name>``
OPAQUE = object()     # the directory hides all below it: ``<name>/.wh..wh..opq``
DIRECTORY = object()  # an empty directory
Link = namedtuple("Link", "target")          # a symbolic link
HardLink = namedtuple("HardLink", "target")
File = namedtuple("File", "data mode uid gid")

Layer = namedtuple("Layer", "data compression diff_id")


def digest_of(data):
    return "sha256:" + hashlib.sha256(data).hexdigest()


def layer(files, compression="gzip"):
    """A Layer of ``files`` (dict: path -> bytes, File, Link, HardLink or a mark from above)."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for path, content in files.items():
            member, data = _member(path, content)
            archive.addfile(member, io.BytesIO(data))
    return layer_of_tar(stream.getvalue(), compression)


def layer_of_tar(tar, compression="gzip"):
    """A Layer of the ready made ``tar`` (bytes); compression "gzip" or "tar" for none."""
    data = tar
    if compression == "gzip":
        packed = io.BytesIO()
        with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1, mtime=0) as stream:
            stream.write(tar)
        data = packed.getvalue()
    return Layer(data, compression, digest_of(tar))


def _member(path, content):
    folder, _, name = path.rstrip("/").rpartition("/")
    prefix = folder + "/" if folder else ""
    member, data = tarfile.TarInfo(path.rstrip("/")), b""
    member.mode = 0o644
    if content is WHITEOUT:
        member.name = prefix + ".wh." + name
    elif content is OPAQUE:
        member.name = path.rstrip("/") + "/.wh..wh..opq"
    elif content is DIRECTORY:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
    elif isinstance(content, Link):
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, content.target, 0o777
    elif isinstance(content, HardLink):
        member.type, member.linkname = tarfile.LNKTYPE, content.target
    elif isinstance(content, File):
        data = content.data
        member.mode, member.uid, member.gid = content.mode, content.uid, content.gid
    else:
        data = content
    member.size = len(data)
    return member, data


class Image(object):
    """One image. blobs (dict), manifest (bytes), media_type, digest, platform (dict), config."""

    def __init__(self, layers, config, platform, types):
        self.layers, self.platform, self.types = tuple(layers), platform, types
        self.config = json.dumps(dict({
            "created": "2020-01-01T00:00:00Z", "config": config,
            "rootfs": {"type": "layers", "diff_ids": [one.diff_id for one in layers]},
            "history": [{"created_by": "test"} for _ in layers]}, **platform)).encode("ascii")
        self.blobs = {digest_of(data): data
                      for data in [self.config] + [one.data for one in layers]}
        self.media_type = types["manifest"]
        self.manifest = json.dumps({
            "schemaVersion": 2, "mediaType": self.media_type,
            "config": descriptor(self.config, types["config"]),
            "layers": [descriptor(one.data, types[one.compression]) for one in layers],
        }).encode("ascii")
        self.digest = digest_of(self.manifest)
        self.children = ()


class ImageIndex(object):
    """Several images under one name."""

    def __init__(self, children, types):
        self.children, self.types, self.media_type = tuple(children), types, types["index"]
        self.blobs = {}
        for child in children:
            self.blobs.update(child.blobs)
        entries = [dict(descriptor(child.manifest, child.media_type), platform=child.platform)
                   for child in children]
        self.manifest = json.dumps({"schemaVersion": 2, "mediaType": self.media_type,
                                    "manifests": entries}).encode("ascii")
        self.digest = digest_of(self.manifest)
        self.platform = {"os": "linux", "architecture": "amd64"}


def descriptor(data, media_type):
    return {"mediaType": media_type, "digest": digest_of(data), "size": len(data)}


def image(layers, config=None, architecture="amd64", variant="", types=OCI):
    platform = {"os": "linux", "architecture": architecture}
    if variant:
        platform["variant"] = variant
    return Image(layers, config or {"Cmd": ["/bin/sh"]}, platform, types)


def index(children, types=OCI):
    return ImageIndex(children, types)


def manifests(thing):
    """Every manifest that ``thing`` needs, children first: (bytes, media type)."""
    found = []
    for child in thing.children:
        found += manifests(child)
    return found + [(thing.manifest, thing.media_type)]


def write_layout(folder, named):
    """Write an OCI layout of ``named`` (dict: tag -> Image or ImageIndex)."""
    blobs = os.path.join(folder, "blobs", "sha256")
    os.makedirs(blobs)
    entries = []
    for tag, thing in named.items():
        for data in list(thing.blobs.values()) + [data for data, _ in manifests(thing)]:
            with open(os.path.join(blobs, digest_of(data)[7:]), "wb") as stream:
                stream.write(data)
        entries.append(dict(descriptor(thing.manifest, thing.media_type),
                            annotations={"org.opencontainers.image.ref.name": tag}))
    with open(os.path.join(folder, "oci-layout"), "w") as stream:
        json.dump({"imageLayoutVersion": "1.0.0"}, stream)
    with open(os.path.join(folder, "index.json"), "w") as stream:
        json.dump({"schemaVersion": 2, "manifests": entries}, stream)


def write_docker_archive(path, named):
    """Write what ``docker save`` writes, for ``named`` (dict: name:tag -> Image)."""
    with tarfile.open(path, "w") as archive:
        listing, written = [], set()
        for name, one in named.items():
            config = hashlib.sha256(one.config).hexdigest() + ".json"
            parts = [(config, one.config)]
            for part in one.layers:
                tar = gzip.decompress(part.data) if part.compression == "gzip" else part.data
                parts.append((part.diff_id[7:] + "/layer.tar", tar))
            for member_name, data in parts:
                if member_name not in written:
                    _add(archive, member_name, data)
                    written.add(member_name)
            listing.append({"Config": config, "RepoTags": [name],
                            "Layers": [member_name for member_name, _ in parts[1:]]})
        _add(archive, "manifest.json", json.dumps(listing).encode("ascii"))


def _add(archive, name, data):
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), 0o644
    archive.addfile(member, io.BytesIO(data))


def push(base, repository, tag, thing, authorization=""):
    """Push ``thing`` to the registry at ``base`` (``http://host:port``) as ``repository:tag``."""
    def request(method, url, data=None, content_type="application/octet-stream", ok=(201, 202)):
        from urllib.error import HTTPError
        from urllib.request import ProxyHandler, Request, build_opener
        headers = {"Content-Type": content_type}
        if authorization:
            headers["Authorization"] = authorization
        asked = Request(url, data=data, headers=headers, method=method)
        try:
            with build_opener(ProxyHandler({})).open(asked, timeout=30) as answer:
                return answer.headers
        except HTTPError as error:
            if error.code in ok:
                return error.headers
            raise AssertionError("%s %s: %d %s" % (method, url, error.code, error.read()[:300]))

    from urllib.parse import urljoin
    root = "%s/v2/%s/" % (base, repository)
    for digest, data in thing.blobs.items():
        place = urljoin(root, request("POST", root + "blobs/uploads/", b"")["Location"])
        place += ("&" if "?" in place else "?") + "digest=" + digest
        request("PUT", place, data)
    for data, media_type in manifests(thing):
        request("PUT", root + "manifests/" + digest_of(data), data, media_type)
    request("PUT", root + "manifests/" + tag, thing.manifest, thing.media_type)
