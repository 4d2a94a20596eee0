import io

from tests.fakes import images as fake
from udocker.cli.history import lines
from udocker.model.oci import parse_document
from udocker.model.reference import ImageReference
from udocker.store.images import ImageStore
from udocker.store.layout import Layout
from udocker.cli.settings import load

NOW = 1600000000  # 2020-09-13T12:26:40Z


def image(tmp_path, history, layers):
    """Store an image of ``layers`` that tells ``history``."""
    layout = Layout.of(load({"HOME": str(tmp_path)}))
    layout.make()
    store = ImageStore(layout)
    made = fake.image(layers)
    import json
    document = json.loads(made.config.decode("ascii"))
    document["history"] = history
    config = json.dumps(document).encode("ascii")
    manifest = made.manifest.replace(fake.digest_of(made.config).encode("ascii"),
                                     fake.digest_of(config).encode("ascii"))
    manifest = manifest.replace(b'"size": %d' % len(made.config), b'"size": %d' % len(config))
    for data in [config] + [layer.data for layer in layers]:
        store.add_blob(io.BytesIO(data))
    return store.put_image(ImageReference.parse("x"), parse_document(manifest))


BASE, TOP = fake.layer({"a": b"a"}), fake.layer({"b": b"b" * 5000}, compression="tar")


def test_steps_come_last_first_with_sizes_of_their_layers(tmp_path):
    found = lines(image(tmp_path, [
        {"created": "2020-09-13T12:26:35.5Z", "created_by": "ADD  file\n in /"},
        {"created": "2020-09-13T11:26:40Z", "created_by": "CMD " + "x" * 60, "empty_layer": True},
        {"created": "2018-01-01T00:00:00Z", "created_by": "COPY \x1b[31m", "comment": "by hand"},
    ], [BASE, TOP]), False, False, NOW)
    assert found[0].split() == ["IMAGE", "CREATED", "CREATED", "BY", "SIZE", "COMMENT"]
    assert found[1].split("   ")[1].strip() == "2 years ago" and "\\x1b[31m" in found[1]
    assert found[1].endswith("10.2kB   by hand") and "\x1b" not in found[1]
    assert found[2].startswith("<missing>") and "60 minutes ago" in found[2] and "\u2026" in found[2]
    assert found[2].rstrip().endswith("0B")
    assert "5 seconds ago" in found[3] and "ADD file in /" in found[3]


def test_all_of_it_and_nothing_but_ids(tmp_path):
    made = image(tmp_path, [{"created_by": "x" * 100}, {}], [BASE, TOP])
    assert "x" * 100 in lines(made, True, False)[2]
    digest = str(made.manifest().config.digest)
    assert lines(made, True, True) == [digest, "<missing>"]
    assert lines(made, False, True) == [digest[7:19], "<missing>"]


def test_a_history_that_cannot_be_is_not_believed(tmp_path):
    for number, history in enumerate((None, {}, [], [3, "x"], [{"created": 5}],
                                      [{"empty_layer": True}])):
        folder = tmp_path / str(number)
        folder.mkdir()
        found = lines(image(folder, history, [BASE, TOP]), False, False, NOW)
        assert len(found) == 3 and found[1].endswith("10.2kB") and "2020" not in found[1]
