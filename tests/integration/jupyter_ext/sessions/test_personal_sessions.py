"""The kernels of sessions that a person has alone, of which none is left running without one."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.kernels.launch_rules import Choice
from jupyter_ext.sessions.new_sessions import NewSession
from jupyter_ext.sessions.patch import SessionChange
from jupyter_ext.sessions.personal_sessions import PersonalSessionManager
from jupyter_ext.sessions.store import moves, personal_rows
from jupyter_ext.sessions.sweep import SessionSweep
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity
from tests.integration.jupyter_ext.sessions.scripted_labs import Gateways, new_lab

MINE = Choice(only_for_me=True)


@pytest.fixture
def lab(lab_database_url: str, gateways: Gateways) -> Iterator[PersonalSessionManager]:
    """Its calls are those of ann."""
    database = Database(lab_database_url)
    act_as(make_identity("ann"))
    manager = new_lab(database, gateways).kernel_manager
    yield PersonalSessionManager(kernel_manager=manager, database=database)
    act_as(None)
    database.close()


async def opened(lab: PersonalSessionManager, gateways: Gateways, name: str) -> Any:
    """A session with a kernel of ann's alone, to which her page is connected."""
    wanted = NewSession(f"demo/{name}", name, kernel_name="python", choice=MINE)
    model = await lab.open_session(wanted)
    gateways.run(model["kernel"]["id"])
    gateways.kernels[model["kernel"]["id"]]["connections"] = 1
    return model


async def kernels_of(lab: PersonalSessionManager) -> dict[str, str]:
    return {model["path"]: model["kernel"]["id"] for model in await lab.list_sessions()}


async def test_it_ends_when_somebody_moves_another_notebook_to_its_path(
    lab: PersonalSessionManager, gateways: Gateways
) -> None:
    six, seven = [await opened(lab, gateways, name) for name in ("n6.ipynb", "n7.ipynb")]
    for old, new in (("n6.ipynb", "n6b.ipynb"), ("n6b.ipynb", "n7.ipynb")):
        await lab.run(partial(moves.move_documents, old=f"demo/{old}", new=f"demo/{new}"))
    assert await kernels_of(lab) == {"demo/n7.ipynb": six["kernel"]["id"]}
    assert seven["kernel"]["id"] in gateways.kernels, "whoever renames may not end it"
    await SessionSweep(sessions=lab, grace_seconds=600.0).sweep()
    assert list(gateways.kernels) == [six["kernel"]["id"]]


async def test_it_ends_when_its_person_moves_another_session_to_its_path(
    lab: PersonalSessionManager, gateways: Gateways
) -> None:
    first, _, third = [
        await opened(lab, gateways, name) for name in ("a.ipynb", "b.ipynb", "c.ipynb")
    ]
    await lab.update_session(first["id"], SessionChange(path="demo/b.ipynb"))
    assert set(gateways.kernels) == {first["kernel"]["id"], third["kernel"]["id"]}
    # Also if that fails at first, which keeps no page from its rename.
    gateways.refusals[third["kernel"]["id"]] = 503
    renamed = await lab.update_session(first["id"], SessionChange(path="demo/c.ipynb"))
    assert (renamed["path"], renamed["kernel"]["id"]) == ("demo/c.ipynb", first["kernel"]["id"])
    assert third["kernel"]["id"] in gateways.kernels
    gateways.refusals.clear()
    await SessionSweep(sessions=lab, grace_seconds=600.0).sweep()
    assert list(gateways.kernels) == [first["kernel"]["id"]]


async def test_it_ends_some_time_after_its_session_if_its_lab_dies_meanwhile(
    lab: PersonalSessionManager, gateways: Gateways
) -> None:
    kept, lost = [await opened(lab, gateways, name) for name in ("a.ipynb", "b.ipynb")]
    own = await lab.run(
        partial(personal_rows.of_id, session_id=lost["id"], username="ann"), read_only=True
    )
    await lab.run(partial(personal_rows.forget, present=own))
    sweep = SessionSweep(sessions=lab, grace_seconds=0.0)
    await sweep.sweep()
    assert len(gateways.kernels) == 2, "its person's page is connected to it"
    for model in gateways.kernels.values():
        model["connections"] = 0
    await sweep.sweep()
    assert list(gateways.kernels) == [kept["kernel"]["id"]]
    await lab.delete_session(kept["id"])
    assert not gateways.kernels
