"""What `jupyter fleet kernels` and `kernel` print."""

from typing import Any

from jupyter_ext.fleet.kernels import kernel_text, kernels_table, with_living_owners


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


def test_a_dead_kernel_has_its_reason_and_no_owner() -> None:
    text = kernels_table([model(state="dead", owner=None, reason="no such program\nat all")])
    assert "dead: no such program  -" in text
    assert "at all" not in text


def test_the_history_of_one_kernel() -> None:
    event = {"at": "t1", "event": "claim", "username": "", "gateway": "gateway-1", "detail": "e\nf"}
    text = kernel_text({"kernel": model(), "events": [event]})
    assert "Epoch:         3" in text
    assert text.splitlines()[-1] == "t1    claim  -    gateway-1  e f"
