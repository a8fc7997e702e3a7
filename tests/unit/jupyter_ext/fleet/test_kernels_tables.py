"""What `jupyter fleet kernels` and `kernel` print."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernels import (
    id_that_begins,
    kernel_text,
    kernels_table,
    places,
    state_text,
    where,
    with_living_owners,
    with_session_paths,
)


def model(**changes: Any) -> dict[str, Any]:
    return {
        "id": "id-1",
        "state": "running",
        "execution_state": "busy",
        "owner": "gateway-1",
        "epoch": 3,
        "project": "demo",
        "path": "",
        "username": "ada",
        "last_activity": "then",
        "reason": "",
        **changes,
    }


def test_a_kernel_whose_owner_has_gone_is_between_owners() -> None:
    models = with_living_owners(
        [model(), model(owner="gateway-9"), model(owner=None)], {"gateway-1"}
    )
    assert [one["owner"] for one in models] == ["gateway-1", None, None]
    lines = kernels_table(models).splitlines()
    assert lines[0].split()[:4] == ["ID", "STATE", "OWNER", "EPOCH"]
    assert "running, busy" in lines[1]
    assert "gateway-1" in lines[1]
    assert "(between owners)" in lines[2]


def test_a_kernel_that_its_user_has_alone_says_so() -> None:
    lines = kernels_table([model(only_for="ada"), model(only_for=None), model()]).splitlines()
    assert ["ada (alone)" in line for line in lines] == [False, True, False, False]


def session(path: str, **changes: Any) -> dict[str, Any]:
    return {"kernel": {"id": "id-1"}, "path": path, "type": "notebook", **changes}


def test_a_kernel_is_listed_with_the_path_of_its_session() -> None:
    started = model(path="demo/old.ipynb")
    other = model(id="id-2", path="demo/other.ipynb")

    def paths(*sessions: dict[str, Any]) -> list[str]:
        return [one["path"] for one in with_session_paths([started, other], sessions)]

    assert paths() == ["demo/old.ipynb", "demo/other.ipynb"]
    console = session("demo/console-1", type="console")
    assert paths(console, session("demo/new.ipynb"))[0] == "demo/new.ipynb"
    # A page may still use the name that it posted.
    posted = session("demo/0", document_path="demo/new.ipynb")
    assert paths(posted)[0] == "demo/new.ipynb"
    # One of two notebooks that share the kernel was renamed.
    assert paths(session("demo/new.ipynb"), session("demo/old.ipynb"))[0] == "demo/old.ipynb"


def test_a_dead_kernel_has_its_reason_and_no_owner() -> None:
    text = kernels_table([model(state="dead", owner=None, reason="no such program\nat all")])
    assert "dead: no such program at all  -" in text


def test_a_long_reason_does_not_widen_the_list_and_is_complete_for_one_kernel() -> None:
    reason = f"ErrImagePull: {'registry ' * 90}says no"
    dead = model(state="dead", owner=None, reason=reason)
    lines = kernels_table([dead, model()]).splitlines()
    assert max(map(len, lines)) < 200
    assert "dead: ErrImagePull: registry" in lines[1]
    assert "…" in lines[1]
    assert f"dead: {reason}\n" in kernel_text({"kernel": dead, "events": []})


def test_a_kernel_that_is_being_started_says_what_it_waits_for_and_for_how_long() -> None:
    launch = {
        "phase": "scheduling",
        "message": "0/3 nodes are available",
        "position": None,
        "since": "2030-01-01T10:00:00.000000Z",
    }
    now = datetime(2030, 1, 1, 10, 1, 30, tzinfo=UTC)
    started = model(state="launching", execution_state="starting", launch=launch)
    words = "launching, scheduling for 90 s: 0/3 nodes are available"
    assert state_text(started, now) == words
    started["launch"] = {**launch, "message": ""}
    assert state_text(started, now) == "launching, scheduling for 90 s"
    started["launch"] = {**launch, "since": "2030-01-01T09:31:00.000000Z", "message": ""}
    assert state_text(started, now) == "launching, scheduling for 30 min"
    # A gateway of the version before does not say.
    assert state_text(model(state="launching"), now) == "launching"
    assert "launching, scheduling for " in kernels_table([started])
    assert "launching, scheduling for " in kernel_text({"kernel": started, "events": []})


def test_the_history_of_one_kernel() -> None:
    event = {"at": "t1", "event": "claim", "username": "", "gateway": "gateway-1", "detail": "e\nf"}
    text = kernel_text({"kernel": model(), "events": [event]})
    assert "Epoch:         3" in text
    assert text.splitlines()[-1] == "t1    claim  -    gateway-1  e f"


POD = {"kind": "pod", "namespace": "kernels", "name": "ada-1"}


def test_the_list_says_where_each_kernel_runs() -> None:
    found = [
        model(location={"kind": "local"}),
        model(location=POD),
        model(location={**POD, "kind": "sparkapplication"}),
        model(location={"kind": "yarn", "application_id": "application_1_2"}),
        model(location={"kind": "yarn", "application_id": ""}),
        model(location=None),
        # Of a gateway of the version before.
        model(),
    ]
    words = ["local", "kernels/ada-1", "kernels/ada-1", "application_1_2", "-", "-", "-"]
    assert [where(one) for one in found] == words
    lines = kernels_table(found).splitlines()
    column = lines[0].index("WHERE")
    assert [line[column:].split()[0] for line in lines[1:]] == words
    assert places(found) == {
        "on this machine": 1,
        "in Kubernetes": 2,
        "in YARN": 2,
        "not started yet": 2,
    }
    assert sum(places([model(state="dead", location=POD)]).values()) == 0


def test_a_program_reads_the_whole_reason() -> None:
    reason = "no room: " + "0/3 nodes are available; " * 10
    assert " ".join(reason.split()) in kernels_table(
        [model(state="dead", reason=reason)], whole=True
    )


def test_a_kernel_is_named_by_the_beginning_of_its_id() -> None:
    models = [model(id=one) for one in ("6f72f097-1", "6f72a000-2", "aa-3")]
    assert id_that_begins("6F72f", models) == "6f72f097-1"
    for unknown in ("bb", ""):
        with pytest.raises(FleetError, match=f"begins with '{unknown}': `jupyter fleet kernels`"):
            id_that_begins(unknown, models)
    with pytest.raises(FleetError, match="2 kernels have ids that begin with 6f72: 6f72a000-2, "):
        id_that_begins("6f72", models)
