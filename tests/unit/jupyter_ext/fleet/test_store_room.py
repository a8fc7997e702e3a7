"""What `up` says of a store whose disk is nearly full."""

from types import SimpleNamespace

import pytest

from jupyter_ext.contents.bucket import StoreUnavailable
from jupyter_ext.fleet import start, store_room
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.store_room import lack_of_room, lack_on_disk

GB = 10**9


@pytest.mark.parametrize(("free", "total"), [(GB // 10, 3 * GB), (2 * GB, 150 * GB)])
def test_a_store_with_room_says_nothing(free, total):
    assert lack_of_room(free, total) == ""


@pytest.mark.parametrize(
    ("free", "total", "left"),
    [(GB // 4, 50 * GB, "0.25 GB of 50.00 GB left"), (0, 3 * GB, "0.00 GB of 3.00 GB left")],
)
def test_a_store_without_room_says_what_it_needs_and_what_to_do(free, total, left):
    said = lack_of_room(free, total)
    assert left in said
    assert "free some space" in said


def test_a_disk_that_cannot_be_looked_at_is_no_error(tmp_path):
    assert lack_on_disk(tmp_path / "none") == ""


def test_a_store_that_takes_nothing_for_lack_of_room_says_so(monkeypatch, tmp_path):
    def refuse(*_):
        raise StoreUnavailable("http://store answered InternalError for bucket fleet")

    monkeypatch.setattr(start, "prepare_bucket", refuse)
    monkeypatch.setattr(start, "last_words", lambda *_: "its last words")
    settings = Settings(ports=dict.fromkeys(Settings().port_names, 20001))
    data_dir = DataDir.at(tmp_path)

    def said(free: int) -> str:
        usage = SimpleNamespace(free=free, total=100 * GB)
        monkeypatch.setattr(store_room.shutil, "disk_usage", lambda folder: usage)
        with pytest.raises(FleetError) as refused:
            start._prepare_store(settings, data_dir, {})
        return str(refused.value)

    assert said(50 * GB).endswith("its last words")
    assert "0.00 GB of 100.00 GB left" in said(0)
    assert "InternalError" in said(0)
