import pytest

from udocker.cli.settings import load
from udocker.store.layout import Layout


@pytest.fixture
def layout(tmp_path):
    """The Layout of an empty repository."""
    made = Layout.of(load({"HOME": str(tmp_path)}))
    assert made.make()
    return made
