import pytest

from udocker.errors import InvalidValue
from udocker.model.reference import Digest, ImageReference, printable

SHA = "sha256:" + "0123456789abcdef" * 4

GOOD = [
    # text, registry, repository, tag, digest, as printed
    ("ubuntu", "", "ubuntu", "latest", None, "ubuntu:latest"),
    ("ubuntu:22.04", "", "ubuntu", "22.04", None, "ubuntu:22.04"),
    ("library/ubuntu", "", "library/ubuntu", "latest", None, "library/ubuntu:latest"),
    ("docker.io/library/a", "docker.io", "library/a", "latest", None, "docker.io/library/a:latest"),
    ("quay.io/x/y:z", "quay.io", "x/y", "z", None, "quay.io/x/y:z"),
    ("localhost/x", "localhost", "x", "latest", None, "localhost/x:latest"),
    ("localhost:5000/x", "localhost:5000", "x", "latest", None, "localhost:5000/x:latest"),
    ("host:5000/a/b:c", "host:5000", "a/b", "c", None, "host:5000/a/b:c"),
    ("[::1]:5000/a:b", "[::1]:5000", "a", "b", None, "[::1]:5000/a:b"),
    ("a/b/c_d/e__f/g-h/i.j:K_.-", "", "a/b/c_d/e__f/g-h/i.j", "K_.-", None,
     "a/b/c_d/e__f/g-h/i.j:K_.-"),
    ("IMPORTED:unknown", "", "IMPORTED", "unknown", None, "IMPORTED:unknown"),
    ("a@" + SHA, "", "a", "", Digest.parse(SHA), "a@" + SHA),
    ("h.io/a:t@" + SHA, "h.io", "a", "t", Digest.parse(SHA), "h.io/a:t@" + SHA),
]


@pytest.mark.parametrize("text, registry, repository, tag, digest, printed", GOOD)
def test_a_reference_is_taken_apart_and_printed(text, registry, repository, tag, digest, printed):
    reference = ImageReference.parse(text)
    assert reference == (registry, repository, tag, digest)
    assert str(reference) == printed
    assert ImageReference.parse(printed) == reference


@pytest.mark.parametrize("text", [
    "", " ", "a b", "/a", "a/", "a//b", "../a", "a/../b", "a/./b", ".a", "a.", "-a", "a-", "a..b",
    "a___b", "a._b", "a:", "a:b:c", "a:-b", "a:" + "x" * 129, "a@", "a@sha256:x", "a\n", "a\x1b[31m",
    "host:99999/a", "host:x/a", "a" * 256, "é", "a:b/c:d", "-h.io/a", "a@" + SHA.upper(),
])
def test_what_is_no_reference_is_refused(text):
    with pytest.raises(InvalidValue) as caught:
        ImageReference.parse(text)
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("text", [
    "sha256:../../etc/passwd", "sha256:" + "A" * 64, "sha256:" + "0" * 63, "sha256:" + "0" * 65,
    "md5:" + "0" * 32, "sha256", "sha256-" + "0" * 64, ":" + "0" * 64, "sha256:" + "0" * 63 + "\n",
    "sha512:" + "0" * 64,
])
def test_what_is_no_digest_is_refused(text):
    with pytest.raises(InvalidValue):
        Digest.parse(text)


@pytest.mark.parametrize("text, names", [
    ("ubuntu", ["ubuntu", "library/ubuntu", "docker.io/ubuntu", "docker.io/library/ubuntu"]),
    ("docker.io/library/ubuntu", ["docker.io/library/ubuntu", "ubuntu", "library/ubuntu",
                                  "docker.io/ubuntu"]),
    ("me/tool", ["me/tool", "docker.io/me/tool"]),
    ("quay.io/me/tool", ["quay.io/me/tool"]),
])
def test_the_spellings_of_one_image_are_known(text, names):
    assert ImageReference.parse(text).spellings() == names


def test_a_digest_wins_over_the_tag():
    assert ImageReference.parse("a:t@" + SHA).version == SHA


def test_names_from_outside_cannot_reach_the_terminal():
    assert printable("a\x1b[31mb\x07") == "a\\x1b[31mb\\x07"
    assert printable("caf\xe9") == "caf\xe9"
    assert printable("\udcff") == "\\udcff"
