"""Which kernel a session keeps while another one starts in its place."""

from datetime import UTC, datetime
from typing import Any

import pytest

from jupyter_ext.sessions.former_kernels import former_of
from jupyter_ext.sessions.store.session_rows import Session

RUNNING = {"state": "running", "execution_state": "idle"}
LAUNCHING = {"state": "launching", "execution_state": "starting"}
DEAD = {"state": "dead", "execution_state": "dead"}
UNREACHABLE = {"state": "unreachable", "execution_state": "unknown"}


def session(kernel_id: str, former: str | None = None) -> Session:
    return Session(
        id="s",
        kernel_id=kernel_id,
        project="demo",
        path="demo/a.ipynb",
        shown_path="demo/a.ipynb",
        name="a.ipynb",
        type="notebook",
        username="ada",
        created=datetime(2026, 1, 1, tzinfo=UTC),
        former_kernel=former,
    )


@pytest.mark.parametrize(
    ("kernel", "kept"),
    [(RUNNING, "one"), (UNREACHABLE, "one"), (LAUNCHING, None), (DEAD, None), (None, None)],
)
def test_a_kernel_that_may_hold_variables_is_kept(
    kernel: dict[str, Any] | None, kept: str | None
) -> None:
    present = session("one")
    assert former_of(present, present, kernel, "two") == kept


@pytest.mark.parametrize("kernel", [RUNNING, LAUNCHING, DEAD, None])
def test_the_first_kernel_stays_the_one_that_is_kept(kernel: dict[str, Any] | None) -> None:
    present = session("two", "one")
    assert former_of(present, present, kernel, "three") == "one"
    # Who chooses it again has nothing to go back to.
    assert former_of(present, present, kernel, "one") is None


@pytest.mark.parametrize("kernel", [LAUNCHING, DEAD, None])
def test_a_kernel_that_the_session_has_got_meanwhile_may_hold_variables(
    kernel: dict[str, Any] | None,
) -> None:
    assert former_of(session("other"), session("one"), kernel, "two") == "other"
    assert former_of(session("two", "one"), session("one"), kernel, "three") == "one"
