"""A user's list of workspaces, put together without a look at what is in them."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from jupyter_ext.userdata import workspaces_list
from jupyter_ext.userdata.store import Stored
from jupyter_ext.userdata.turns import Turns
from jupyter_ext.userdata.workspaces import workspace_model
from jupyter_ext.userdata.workspaces_list import BATCH_BYTES, BATCH_WORKSPACES, batches, listed
from tests import skipped_time

CREATED, MODIFIED = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def stored(raw: str) -> Stored:
    return Stored("a", raw, CREATED, MODIFIED)


@pytest.mark.parametrize(
    "raw",
    [
        '{"data": {"x": {"metadata": {"id": "/b"}}}, "metadata": {"id": "/a"}}',
        '{"data":{},"metadata":{"id":"a","other":1.5}}',
        ' { "data" : [] ,\n"metadata" : { "id" : "/a" , "t" : "}\\"{,\\"metadata\\":{" } } \n',
        '{"metadata": {"id": "/a"}}',
        '{"metadata": {"id": "/b"}, "metadata": {"id": "/a"}}',
    ],
)
def test_a_workspace_as_jupyterlab_saves_it_is_not_parsed(
    monkeypatch: pytest.MonkeyPatch, raw: str
) -> None:
    expected = workspace_model(stored(raw))

    def refuse(_: Stored) -> Any:
        raise AssertionError("parsed")

    monkeypatch.setattr(workspaces_list, "workspace_model", refuse)
    ids, (value,) = listed([stored(raw)])
    assert json.loads(value) == expected
    assert ids == [expected["metadata"]["id"]]


@pytest.mark.parametrize(
    "raw",
    [
        '{"metadata": {"id": "/a"}, "data": {"metadata": {"id": "/b"}}}',
        '{"metadata": {"id": "/a"}, "data": {}}',
        '{"data": {}, "metadata": {"id": "/a", "more": {}}}',
        '{"data": {}, "metadata": {"id": "/a", "more": "%s"}}' % ("x" * 5000),
        '{"metadata": {"id": "/a"}, "data": "\\"metadata\\": {\\"id\\": \\"/b\\"}}"}',
        '{"metadata": {"id": "/a"}, "x": {"data": {}, "metadata": {"id": "/b"}}}',
    ],
)
def test_any_other_workspace_is_listed_all_the_same(raw: str) -> None:
    ids, (value,) = listed([stored(raw)])
    assert json.loads(value) == workspace_model(stored(raw))
    assert ids == ["/a"]


def test_a_list_is_read_in_batches() -> None:
    big = BATCH_BYTES * 2 // 3
    sizes = [("a", big), ("b", 1), ("c", big), ("d", 2 * BATCH_BYTES), ("e", 1)]
    assert batches(sizes) == [["a", "b"], ["c"], ["d"], ["e"]]
    many = [(str(number), 0) for number in range(BATCH_WORKSPACES + 1)]
    assert [len(group) for group in batches(many)] == [BATCH_WORKSPACES, 1]
    assert batches([]) == []


def test_a_user_has_one_turn_at_a_time_and_others_do_not_wait() -> None:
    turns = Turns()
    said: list[str] = []

    async def work(user: str, end: asyncio.Event) -> None:
        async with turns.of(user):
            said.append(f"{user} begins")
            await end.wait()
            said.append(f"{user} ends")

    async def run() -> None:
        end = asyncio.Event()
        tasks = [asyncio.create_task(work(user, end)) for user in ("ada", "ada", "bob")]
        await asyncio.sleep(1)
        assert sorted(said) == ["ada begins", "bob begins"]
        end.set()
        await asyncio.gather(*tasks)

    skipped_time.run(run())
    assert said.count("ada ends") == 2
