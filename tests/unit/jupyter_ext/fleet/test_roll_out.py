"""In which order `up` changes a fleet that runs."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from jupyter_ext.fleet import start
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.supervisor import ProcessState


class Recorded:
    """A supervisor that only says what it was told."""

    def __init__(self, running: list[str], said: list[str]) -> None:
        self._states = {name: ProcessState(name, "running", 1, runs="old") for name in running}
        self._said = said

    def states(self) -> dict[str, ProcessState]:
        return self._states

    def start_programs(self, names) -> None:
        self._said += [f"start {name}" for name in names]

    def stop_programs(self, names) -> None:
        self._said += [f"stop {name}" for name in names]

    def load(self) -> None:
        pass


@pytest.fixture
def rolled_out(monkeypatch, tmp_path):
    def run(running: list[str], wanted: dict[str, str], labs: int) -> list[str]:
        said: list[str] = []
        secrets = SimpleNamespace(sign_service_token=lambda _: "t")
        (tmp_path / "config").mkdir(exist_ok=True)
        ports = {f"lab-{n + 1}": 12001 + n for n in range(labs)} | {"gateway-1": 12009}
        settings = Settings(labs=labs, gateways=1, bucket="s3://b", ports=ports)
        fleet = [SimpleNamespace(name=name, runs=runs) for name, runs in wanted.items()]
        prepared = start._Prepared(settings, fleet, "", "", secrets, {}, Path("python"))
        monkeypatch.setattr(start, "answers", lambda member, token: True)
        monkeypatch.setattr(start, "wait_for", lambda members, *_: list(members))
        monkeypatch.setattr(start, "_load_front", lambda *_: said.append("load front"))
        start._roll_out(Recorded(running, said), prepared, DataDir.at(tmp_path))
        return said

    return run


def test_the_front_knows_new_labs_before_an_old_one_is_replaced(rolled_out):
    wanted = {"front": "old", "gateway-1": "old", "lab-1": "new", "lab-2": "new"}
    said = rolled_out(["front", "gateway-1", "lab-1"], wanted, labs=2)
    assert said.index("start lab-2") < said.index("load front") < said.index("stop lab-1")


def test_the_front_knows_a_lab_until_the_others_are_replaced_and_forgets_it_before_it_stops(
    rolled_out,
):
    wanted = {"front": "old", "gateway-1": "old", "lab-1": "new"}
    said = rolled_out(["front", "gateway-1", "lab-1", "lab-2"], wanted, labs=1)
    assert said == ["stop lab-1", "start lab-1", "load front", "stop lab-2"]
