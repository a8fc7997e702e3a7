"""Several labs change the same names at the same time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from tornado.web import HTTPError

from jupyter_ext.contents.http_errors import SaveConflictAnswer
from jupyter_ext.contents.manager import FleetContentsManager
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity

NewManager = Callable[[], FleetContentsManager]


@pytest.fixture
def labs(new_manager: NewManager) -> list[FleetContentsManager]:
    act_as(make_identity("ada"))
    return [new_manager(), new_manager()]


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": content, **more}


async def outcomes(*acts: Awaitable[Any]) -> tuple[list[Any], list[HTTPError]]:
    """What the acts answered, and how the others were refused. Other errors are raised."""
    answers = await asyncio.gather(*acts, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, HTTPError):
            raise answer
    refused = [answer for answer in answers if isinstance(answer, HTTPError)]
    return [answer for answer in answers if not isinstance(answer, HTTPError)], refused


async def test_no_acknowledged_save_is_lost(labs: list[FleetContentsManager]) -> None:
    """Two labs append a line each over the version that they read, 50 times each.

    Every save that was acknowledged is in the end result, once, in the order of the versions.
    """
    await labs[0].save(text(""), "demo/log")
    acknowledged: list[str] = []
    conflicts = 0

    async def append(lab: FleetContentsManager, who: str) -> None:
        nonlocal conflicts
        for number in range(50):
            read = await lab.get("demo/log", format="text")
            line = f"{who} {number}\n"
            try:
                await lab.save(
                    text(read["content"] + line, base_version=read["version"]), "demo/log"
                )
            except SaveConflictAnswer:
                conflicts += 1
            else:
                acknowledged.append(line)

    await asyncio.gather(append(labs[0], "a"), append(labs[1], "b"))
    lines = (await labs[0].get("demo/log"))["content"].splitlines(keepends=True)
    assert sorted(lines) == sorted(acknowledged)
    assert conflicts > 0, "the two never met: this test shows nothing"
    assert len(acknowledged) + conflicts == 100
    assert len(await labs[0].list_versions("demo/log")) == 1 + len(acknowledged)


async def test_same_base_has_one_winner(labs: list[FleetContentsManager]) -> None:
    base = await labs[0].save(text("0"), "demo/a")
    for number in range(50):
        won, refused = await outcomes(
            *(
                lab.save(text(f"{number} {each}", base_version=base["version"]), "demo/a")
                for each, lab in enumerate(labs)
            )
        )
        assert (len(won), len(refused)) == (1, 1)
        assert refused[0].status_code == 409
        base = await labs[0].get("demo/a", content=False)
        assert base["version"] == won[0]["version"]
    keys = labs[0].storage.bucket._client.list_objects_v2(
        Bucket="contents", Prefix=labs[0].storage.bucket.address.prefix + "demo/"
    )
    assert keys["KeyCount"] == 51, "bodies of refused saves are cleared away"


async def test_concurrent_creates_of_one_name(labs: list[FleetContentsManager]) -> None:
    for number in range(5):
        won, refused = await outcomes(
            *(labs[n % 2].save(text(str(n), base_version=None), f"demo/{number}") for n in range(8))
        )
        assert len(won) == 1
        assert {error.status_code for error in refused} == {409}
        model = await labs[0].get(f"demo/{number}")
        assert model["version"] == won[0]["version"]


async def test_unconditional_saves_all_succeed(labs: list[FleetContentsManager]) -> None:
    """Who does not ask for a base replaces what is there; every body stays a version."""
    won, refused = await outcomes(*(labs[n % 2].save(text(str(n)), "demo/a") for n in range(12)))
    assert (len(won), refused) == (12, [])
    history = await labs[0].list_versions("demo/a")
    assert sorted(each["version"] for each in history) == sorted(m["version"] for m in won)
    chain = {each["base_version"] for each in history}
    assert len(chain) == 12, "each version replaced another one"


async def test_untitled_names_and_copies_are_all_different(
    labs: list[FleetContentsManager],
) -> None:
    await labs[0].save(text("x"), "demo/a.txt")
    made, refused = await outcomes(
        *(labs[n % 2].new_untitled("demo", type="notebook") for n in range(6)),
        *(labs[n % 2].new_untitled("demo", type="directory") for n in range(6)),
        *(labs[n % 2].copy("demo/a.txt", "demo") for n in range(6)),
    )
    assert refused == []
    assert len({model["path"] for model in made}) == 18
    assert len((await labs[0].get("demo"))["content"]) == 19


async def test_first_use_of_a_project(labs: list[FleetContentsManager]) -> None:
    made, refused = await outcomes(
        *(labs[n % 2].get("" if n % 3 else "demo") for n in range(12)),
        *(labs[n % 2].save(text("x"), f"demo/{n}") for n in range(4)),
    )
    assert (len(made), refused) == (16, [])
    assert len((await labs[0].get("demo"))["content"]) == 4


async def test_renames_to_one_name_have_one_winner(labs: list[FleetContentsManager]) -> None:
    for name in "abcd":
        await labs[0].save(text(name), f"demo/{name}")
    won, refused = await outcomes(
        *(labs[n % 2].rename(f"demo/{name}", "demo/target") for n, name in enumerate("abcd"))
    )
    assert len(won) == 1
    assert [error.status_code for error in refused] == [409] * 3
    assert len((await labs[0].get("demo"))["content"]) == 4


async def test_folders_moved_into_each_other_stay_reachable(
    labs: list[FleetContentsManager],
) -> None:
    for _ in range(5):
        for name in ("a", "b"):
            await labs[0].save({"type": "directory"}, f"demo/{name}")
        won, refused = await outcomes(
            labs[0].rename("demo/a", "demo/b/a"), labs[1].rename("demo/b", "demo/a/b")
        )
        assert (len(won), len(refused)) == (1, 1)
        (top,) = (await labs[0].get("demo"))["content"]
        assert len((await labs[0].get(top["path"]))["content"]) == 1
        await labs[0].delete(top["path"])


async def test_saves_while_the_folder_is_renamed(labs: list[FleetContentsManager]) -> None:
    """Every acknowledged save is found where the folder is in the end."""
    await labs[0].save({"type": "directory"}, "demo/d")
    saved: list[str] = []
    refused: set[int] = set()

    async def save() -> None:
        for number in range(12):
            folder = "demo/e" if number % 2 else "demo/d"
            try:
                await labs[0].save(text("x", base_version=None), f"{folder}/{number}")
            except HTTPError as error:
                refused.add(error.status_code)
            else:
                saved.append(str(number))

    async def rename() -> None:
        for number in range(7):
            names = ("demo/d", "demo/e") if number % 2 == 0 else ("demo/e", "demo/d")
            await labs[1].rename(*names)

    await asyncio.gather(save(), rename())
    listed = (await labs[0].get("demo/e"))["content"]
    assert sorted(entry["name"] for entry in listed) == sorted(saved)
    assert saved
    assert refused <= {404}


async def test_one_chunk_twice_counts_once(labs: list[FleetContentsManager]) -> None:
    def chunk(number: int, content: str) -> dict[str, Any]:
        return text(content, chunk=number)

    await labs[0].save(chunk(1, "a"), "demo/u")
    won, refused = await outcomes(*(lab.save(chunk(2, "b"), "demo/u") for lab in labs))
    assert (len(won), [error.status_code for error in refused]) == (1, [409])
    won, refused = await outcomes(*(lab.save(chunk(-1, "c"), "demo/u") for lab in labs))
    assert (len(won), [error.status_code for error in refused]) == (1, [409])
    assert (await labs[0].get("demo/u"))["content"] == "abc"
