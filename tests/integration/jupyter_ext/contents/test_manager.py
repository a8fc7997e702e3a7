"""What the manager promises, on real databases and a real object store."""

import asyncio
import base64
import threading
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output
from sqlalchemy import Connection, event, func, select
from tornado.web import HTTPError

from jupyter_ext.contents.body_threads import SMALL_BODY, request_bytes
from jupyter_ext.contents.bucket import Bucket
from jupyter_ext.contents.http_errors import SaveConflictAnswer
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.contents.tables import node
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.roles import Role
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": content, **more}


def notebook(*sources: str) -> dict[str, Any]:
    cells = [new_code_cell(source) for source in sources]
    return {"type": "notebook", "format": "json", "content": new_notebook(cells=cells)}


async def names_in(manager: FleetContentsManager, path: str) -> list[str]:
    return [entry["name"] for entry in (await manager.get(path))["content"]]


async def test_small_files_do_not_wait_for_costly_notebooks(manager: FleetContentsManager) -> None:
    """Whoever has two accounts can keep all threads for big bodies busy."""
    await manager.save(notebook("small"), "demo/small.ipynb")
    go_on = threading.Event()
    costly = []
    for name in ("eve", "mallory"):
        act_as(make_identity(name))
        costly += [
            asyncio.ensure_future(manager.work(go_on.wait, 10 * SMALL_BODY)) for _ in range(3)
        ]
        await asyncio.sleep(0)
    act_as(make_identity("ada"))
    try:
        async with asyncio.timeout(20):
            model = await manager.get("demo/small.ipynb")
            request_bytes.set(1000)
            await manager.save(notebook("changed"), "demo/small.ipynb")
    finally:
        go_on.set()
        await asyncio.gather(*costly)
    assert model["content"]["cells"][0]["source"] == "small"


async def test_text_comes_back_as_it_was(manager: FleetContentsManager) -> None:
    content = "naïve ☃ 😀\r\nline\n\tend without newline"
    saved = await manager.save(text(content), "demo/a.txt")
    model = await manager.get("demo/a.txt")
    assert model["content"] == content
    assert (model["type"], model["format"], model["mimetype"]) == ("file", "text", "text/plain")
    assert model["size"] == len(content.encode())
    assert model["writable"] is True
    assert saved["content"] is None
    for key in ("version", "hash", "hash_algorithm", "last_modified", "created", "name", "path"):
        assert saved[key] == model[key] is not None
    assert model["hash_algorithm"] == "sha256"


async def test_binary_comes_back_as_it_was(manager: FleetContentsManager) -> None:
    body = bytes(range(256)) * 40
    sent = {
        "type": "file",
        "format": "base64",
        "content": base64.encodebytes(body).decode(),
    }
    await manager.save(sent, "demo/a.bin")
    model = await manager.get("demo/a.bin")
    assert base64.b64decode(model["content"]) == body
    assert model["format"] == "base64"
    assert model["size"] == len(body)
    with pytest.raises(HTTPError) as refused:
        await manager.get("demo/a.bin", format="text")
    assert refused.value.status_code == 400


async def test_notebook_comes_back_as_it_was(manager: FleetContentsManager) -> None:
    sent = notebook("x = 1\nx", "é")
    sent["content"].cells[0].outputs = [new_output("stream", text="a\nb\n")]
    saved = await manager.save(sent, "demo/n.ipynb")
    assert "message" not in saved
    model = await manager.get("demo/n.ipynb")
    assert (model["type"], model["format"]) == ("notebook", "json")
    got = nbformat.from_dict(model["content"])
    for cell in got.cells:
        cell.metadata.pop("trusted", None)
    assert got == sent["content"]
    as_text = await manager.get("demo/n.ipynb", type="file", format="text")
    assert nbformat.reads(as_text["content"], as_version=4) == sent["content"]


async def test_trust_is_kept_by_signature(manager: FleetContentsManager) -> None:
    sent = notebook("1")
    sent["content"].cells[0].outputs = [
        new_output("display_data", {"text/html": "<script>alert(1)</script>"})
    ]
    await manager.save(sent, "demo/n.ipynb")

    async def is_trusted() -> bool:
        model = await manager.get("demo/n.ipynb")
        return bool(model["content"]["cells"][0]["metadata"].get("trusted"))

    assert not await is_trusted()
    await manager.trust_notebook("demo/n.ipynb")
    assert await is_trusted()


async def test_get_without_content_reads_no_body(manager: FleetContentsManager) -> None:
    saved = await manager.save(text("x"), "demo/a.txt")
    requests = count_requests(manager)
    model = await manager.get("demo/a.txt", content=False, require_hash=True)
    assert (model["content"], model["format"], model["mimetype"]) == (None, None, None)
    assert model["hash"] == saved["hash"]
    assert requests == []


def count_requests(manager: FleetContentsManager) -> list[str]:
    """The operations that the store is asked for from now on."""
    operations: list[str] = []
    manager.storage.bucket._client.meta.events.register(
        "before-send.s3", lambda request, **_: operations.append(request.method)
    )
    return operations


async def test_how_often_the_store_is_asked(manager: FleetContentsManager) -> None:
    requests = count_requests(manager)
    await manager.save(notebook("1"), "demo/n.ipynb")
    assert requests == ["PUT"]
    await manager.save(notebook("2"), "demo/n.ipynb")
    assert requests == ["PUT", "PUT"]
    requests.clear()
    await manager.get("demo/n.ipynb")
    assert requests == ["GET"]
    requests.clear()
    await manager.get("demo")
    await manager.rename("demo/n.ipynb", "demo/m.ipynb")
    await manager.create_checkpoint("demo/m.ipynb")
    await manager.list_checkpoints("demo/m.ipynb")
    await manager.is_hidden("demo/m.ipynb")
    await manager.file_exists("demo/m.ipynb")
    await manager.delete("demo/m.ipynb")
    assert requests == []


async def test_names_are_compared_byte_by_byte(manager: FleetContentsManager) -> None:
    different = [
        "a",
        "A",
        "a ",
        " a",
        "é",
        "e\u0301",
        "ß",
        "ss",
        "a%b",
        "a\\b",
        "x'y",
        "日本",
        "😀",
    ]
    for name in different:
        await manager.save(text(name, base_version=None), f"demo/{name}")
    assert await names_in(manager, "demo") == sorted(different, key=str.encode)
    for name in different:
        model = await manager.get(f"demo/{name}")
        assert (model["name"], model["content"]) == (name, name)


async def test_longest_name(manager: FleetContentsManager) -> None:
    name = "é" * 127 + "x"
    await manager.save(text("x"), f"demo/{name}")
    assert (await manager.get(f"demo/{name}"))["content"] == "x"
    with pytest.raises(HTTPError) as refused:
        await manager.save(text("x"), f"demo/{name}é")
    assert refused.value.status_code == 400


# --- bases --------------------------------------------------------------------------------------


async def test_save_over_the_version_that_was_read(manager: FleetContentsManager) -> None:
    first = await manager.save(text("1", base_version=None), "demo/a")
    second = await manager.save(text("2", base_version=first["version"]), "demo/a")
    assert second["version"] != first["version"]
    assert second["created"] == first["created"]
    assert (await manager.get("demo/a"))["content"] == "2"


async def test_save_over_another_version_is_refused(manager: FleetContentsManager) -> None:
    first = await manager.save(text("1"), "demo/a")
    act_as(make_identity("bob"))
    second = await manager.save(text("2"), "demo/a")
    act_as(make_identity("ada"))
    requests = count_requests(manager)
    for base in (first["version"], None, "nonsense"):
        with pytest.raises(SaveConflictAnswer) as refused:
            await manager.save(text("3", base_version=base), "demo/a")
        assert refused.value.status_code == 409
        assert refused.value.body == {
            "message": "demo/a was saved by bob in the meantime; nothing was saved",
            "version": second["version"],
            "last_modified": second["last_modified"].isoformat().replace("+00:00", "Z"),
            "saved_by": "bob",
        }
    assert requests == [], "it is refused before anything is stored"
    assert (await manager.get("demo/a"))["content"] == "2"
    assert len(await manager.list_versions("demo/a")) == 2


async def test_save_over_a_version_of_a_deleted_file(manager: FleetContentsManager) -> None:
    first = await manager.save(text("1"), "demo/a")
    await manager.delete("demo/a")
    with pytest.raises(SaveConflictAnswer) as refused:
        await manager.save(text("2", base_version=first["version"]), "demo/a")
    assert refused.value.body["version"] is None
    assert refused.value.body["saved_by"] is None
    assert not await manager.exists("demo/a")
    await manager.save(text("2", base_version=None), "demo/a")


async def test_replaced_versions_stay_readable(manager: FleetContentsManager) -> None:
    for content in ("1", "2", "3"):
        await manager.save(text(content), "demo/a")
    await manager.save({"type": "directory"}, "demo/d")
    await manager.rename("demo/a", "demo/d/b")
    history = await manager.list_versions("demo/d/b")
    read = [await manager.get("demo/d/b", version=each["version"]) for each in history]
    assert [model["content"] for model in read] == ["1", "2", "3"]
    assert [model["version"] for model in read] == [each["version"] for each in history]
    assert [each["base_version"] for each in history] == [
        None,
        history[0]["version"],
        history[1]["version"],
    ]
    assert {each["saved_by"] for each in history} == {"ada"}
    await manager.restore_version("demo/d/b", history[0]["version"])
    assert (await manager.get("demo/d/b"))["content"] == "1"
    assert len(await manager.list_versions("demo/d/b")) == 4


async def test_a_version_of_another_file_is_not_readable(manager: FleetContentsManager) -> None:
    secret = await manager.save(text("secret"), "demo/secret")
    await manager.save(text("open"), "demo/open")
    with pytest.raises(HTTPError) as refused:
        await manager.get("demo/open", version=secret["version"])
    assert refused.value.status_code == 404


async def test_objects_tell_where_they_belong(manager: FleetContentsManager) -> None:
    path = "demo/Zürich/日本語 ☃.txt"
    await manager.save({"type": "directory"}, "demo/Zürich")
    saved = await manager.save(text("x"), path)
    prefix = manager.storage.bucket.address.prefix
    listed = manager.storage.bucket._client.list_objects_v2(
        Bucket="contents", Prefix=prefix + "demo/"
    )
    (key,) = [entry["Key"] for entry in listed["Contents"]]
    assert key.split("/")[-1] == saved["version"]
    head = manager.storage.bucket._client.head_object(Bucket="contents", Key=key)
    metadata = head["Metadata"]
    assert base64.urlsafe_b64decode(metadata["fleet-path"]).decode() == path
    assert base64.urlsafe_b64decode(metadata["fleet-author"]).decode() == "ada"
    assert metadata["fleet-sha256"] == saved["hash"]


# --- refusals -----------------------------------------------------------------------------------

BAD_SAVES = [
    ("demo/../x", text("x"), 400, "'..'"),
    ("demo/./x", text("x"), 400, "'.'"),
    ("demo/a//x", text("x"), 400, "empty name"),
    ("demo/a\0b", text("x"), 400, "NUL"),
    ("demo/\ud800", text("x"), 400, "Unicode"),
    ("demo/" + "x" * 256, text("x"), 400, "255 bytes"),
    ("demo/" + "x" * 200 + ("/" + "x" * 200) * 5, text("x"), 400, "1024 bytes"),
    ("Demo/x", text("x"), 400, "project"),
    ("x.txt", text("x"), 400, "project"),
    ("other/x", text("x"), 404, "other"),
    ("demo/missing/x", text("x"), 404, "demo/missing"),
    ("demo/file/x", text("x"), 400, "demo/file is a file"),
    ("demo/folder", text("x"), 400, "demo/folder is a folder"),
    ("demo", text("x"), 400, "demo is a folder"),
    ("demo/file", {"type": "directory"}, 400, "demo/file is a file"),
    ("demo/x", {"type": "file", "format": "text"}, 400, "no content"),
    ("demo/file", {"type": "file", "format": "text"}, 400, "no content"),
    ("demo/x", {"format": "text", "content": "x"}, 400, "type"),
    ("demo/x", {"type": "link", "format": "text", "content": "x"}, 400, "type"),
    ("demo/x", text("x", format="json"), 400, "format"),
    ("demo/x", text("\ud800"), 400, "Unicode"),
    ("demo/x", {"type": "file", "format": "text", "content": {}}, 400, "string"),
    ("demo/x", {"type": "file", "format": "base64", "content": "a$b="}, 400, "base64"),
    ("demo/x", text("x", base_version=7), 400, "base_version"),
    ("demo/x.ipynb", {"type": "notebook", "content": "not JSON"}, 400, "not a notebook"),
    ("demo/x.ipynb", {"type": "notebook", "content": {"a": 1}}, 400, "nbformat"),
    (
        "demo/x.ipynb",
        {"type": "notebook", "content": {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}},
        400,
        "cells",
    ),
    (
        "demo/x.ipynb",
        {"type": "notebook", "content": {"nbformat": 99, "metadata": {}, "cells": []}},
        400,
        "nbformat 99",
    ),
    (
        "demo/x.ipynb",
        {"type": "notebook", "content": {"nbformat": 4, "metadata": {}, "cells": [{}]}},
        400,
        "cell 0",
    ),
]


async def test_bad_saves_are_refused_and_change_nothing(manager: FleetContentsManager) -> None:
    await manager.save(text("kept"), "demo/file")
    await manager.save({"type": "directory"}, "demo/folder")
    before = [str(model) for model in (await manager.get("demo"))["content"]]
    requests = count_requests(manager)
    for path, model, status, word in BAD_SAVES:
        with pytest.raises(HTTPError) as refused:
            await manager.save(dict(model), path)
        assert refused.value.status_code == status, (path, model)
        assert word in str(refused.value.log_message), (path, refused.value.log_message)
    assert [str(model) for model in (await manager.get("demo"))["content"]] == before
    assert requests == []


async def test_slightly_invalid_notebook_is_saved_with_a_message(
    manager: FleetContentsManager,
) -> None:
    sent = notebook("1")
    sent["content"]["cells"][0]["outputs"] = [{"output_type": "stream", "text": "x", "odd": 1}]
    saved = await manager.save(sent, "demo/n.ipynb")
    assert "validation failed" in saved["message"]
    assert "validation failed" in (await manager.get("demo/n.ipynb"))["message"]


async def test_wrong_type_of_a_get(manager: FleetContentsManager) -> None:
    await manager.save(text("x"), "demo/a")
    for path, type in (
        ("demo/a", "directory"),
        ("demo", "file"),
        ("demo", "notebook"),
        ("", "file"),
    ):
        with pytest.raises(HTTPError) as refused:
            await manager.get(path, type=type)
        assert (refused.value.status_code, refused.value.reason) == (400, "bad type")
    with pytest.raises(HTTPError) as refused:
        await manager.get("demo/none")
    assert refused.value.status_code == 404
    await manager.save(text("{not json"), "demo/broken.ipynb")
    with pytest.raises(HTTPError) as refused:
        await manager.get("demo/broken.ipynb")
    assert refused.value.status_code == 400


# --- who may ------------------------------------------------------------------------------------


async def test_projects_of_others_do_not_exist(manager: FleetContentsManager) -> None:
    await manager.save(text("x"), "demo/a")
    act_as(make_identity("eve", {"hers": Role.OWNER}))
    for act in (
        manager.get("demo"),
        manager.get("demo/a"),
        manager.save(text("y"), "demo/a"),
        manager.delete("demo/a"),
        manager.rename("demo/a", "hers/a"),
        manager.rename("hers/a", "demo/b"),
        manager.copy("demo/a", "hers"),
        manager.create_checkpoint("demo/a"),
        manager.list_checkpoints("demo/a"),
        manager.list_versions("demo/a"),
        manager.new_untitled("demo"),
        manager.trust_notebook("demo/a"),
    ):
        with pytest.raises(HTTPError) as refused:
            await act
        assert refused.value.status_code == 404
    assert not await manager.dir_exists("demo")
    assert not await manager.file_exists("demo/a")
    assert not await manager.exists("demo/a")
    assert await names_in(manager, "") == ["hers"]


async def test_viewer_may_read_only(manager: FleetContentsManager) -> None:
    saved = await manager.save(text("x"), "demo/a")
    await manager.create_checkpoint("demo/a")
    act_as(make_identity("vic", {"demo": Role.VIEWER, "vics": Role.OWNER}))
    assert (await manager.get("demo/a"))["writable"] is False
    assert (await manager.get("demo"))["writable"] is False
    for act in (
        manager.save(text("y"), "demo/a"),
        manager.save({"type": "directory"}, "demo/d"),
        manager.save(text("y", chunk=1), "demo/b"),
        manager.delete("demo/a"),
        manager.rename("demo/a", "demo/b"),
        manager.rename("demo/a", "vics/b"),
        manager.copy("demo/a", "demo"),
        manager.create_checkpoint("demo/a"),
        manager.restore_checkpoint(saved["version"], "demo/a"),
        manager.delete_checkpoint(saved["version"], "demo/a"),
        manager.new_untitled("demo"),
    ):
        with pytest.raises(HTTPError) as refused:
            await act
        assert refused.value.status_code == 403
        assert "editor" in str(refused.value.log_message)
    await manager.copy("demo/a", "vics")
    assert await names_in(manager, "vics") == ["a"]
    assert await names_in(manager, "demo") == ["a"]


async def test_root_lists_the_callers_projects(manager: FleetContentsManager) -> None:
    act_as(make_identity("zoe", {"zoo": Role.VIEWER, "alpha": Role.EDITOR}))
    root = await manager.get("")
    assert [(entry["name"], entry["writable"]) for entry in root["content"]] == [
        ("alpha", True),
        ("zoo", False),
    ]
    assert root["writable"] is False
    assert await manager.dir_exists("zoo")
    assert await names_in(manager, "zoo") == []
    act_as(make_identity("lab", {}, service="lab"))
    assert await names_in(manager, "") == ["alpha", "zoo"]


async def test_outside_of_requests_only_the_root_exists(manager: FleetContentsManager) -> None:
    await manager.save(text("x"), "demo/a")
    act_as(None)
    assert await manager.dir_exists("")
    assert not await manager.dir_exists("demo")
    assert not await manager.file_exists("demo/a")
    assert await names_in(manager, "") == []
    with pytest.raises(HTTPError):
        await manager.get("demo/a")


# --- the tree -----------------------------------------------------------------------------------


async def fill(manager: FleetContentsManager) -> None:
    for folder in ("demo/d", "demo/d/e", "demo/other"):
        await manager.save({"type": "directory"}, folder)
    for name in ("demo/d/1", "demo/d/e/2", "demo/d/e/3"):
        await manager.save(text(name), name)


async def test_renaming_a_folder_changes_one_row(manager: FleetContentsManager) -> None:
    await fill(manager)

    def rows(connection: Connection) -> dict[str, Any]:
        return {row.id: tuple(row) for row in connection.execute(select(node))}

    before = manager.storage.database.run_blocking(rows)
    writes: list[str] = []
    event.listen(
        manager.storage.database.engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, *_: (
            writes.append(statement)
            if not statement.startswith(("SELECT", "WITH", "BEGIN"))
            else None
        ),
    )
    await manager.rename("demo/d", "demo/other/new")
    assert len(writes) == 1
    assert writes[0].startswith("UPDATE fleet_node")
    after = manager.storage.database.run_blocking(rows)
    assert [id for id in before if before[id] != after[id]] == [
        id for id in before if before[id][2] == "d"
    ]
    assert (await manager.get("demo/other/new/e/2"))["content"] == "demo/d/e/2"
    assert not await manager.exists("demo/d")


async def test_refused_renames_change_nothing(manager: FleetContentsManager) -> None:
    await fill(manager)
    for old, new, status in (
        ("demo/none", "demo/x", 404),
        ("demo/d", "demo/other", 409),
        ("demo/d/1", "demo/d/e", 409),
        ("demo/d/1", "demo/d/e/2", 409),
        ("demo/d", "demo/d/e/d", 400),
        ("demo/d", "demo/d/x", 400),
        ("demo/d", "demo/none/x", 404),
        ("demo/d", "demo/d/1/x", 400),
        ("demo", "demo2", 400),
        ("demo/d", "", 404),
        ("demo", "demo/x", 400),
        ("demo/d", "demo/../x", 400),
    ):
        with pytest.raises(HTTPError) as refused:
            await manager.rename(old, new)
        assert refused.value.status_code == status, (old, new, refused.value)
    assert await names_in(manager, "demo") == ["d", "other"]
    assert await names_in(manager, "demo/d") == ["1", "e"]


async def test_renaming_keeps_versions_and_checkpoints(manager: FleetContentsManager) -> None:
    saved = await manager.save(text("1"), "demo/a.txt")
    checkpoint = await manager.create_checkpoint("demo/a.txt")
    await manager.rename("demo/a.txt", "demo/A.txt")
    model = await manager.get("demo/A.txt")
    assert (model["version"], model["last_modified"]) == (saved["version"], saved["last_modified"])
    assert await manager.list_checkpoints("demo/A.txt") == [checkpoint]
    await manager.save(text("2", base_version=saved["version"]), "demo/A.txt")


async def test_deleting(manager: FleetContentsManager) -> None:
    await fill(manager)
    await manager.delete("demo/d/1")
    assert await names_in(manager, "demo/d") == ["e"]
    await manager.delete("demo/d")
    assert await names_in(manager, "demo") == ["other"]
    for path in ("demo/d", "demo/d/e", "demo/d/e/2"):
        assert not await manager.exists(path)
        with pytest.raises(HTTPError) as refused:
            await manager.delete(path)
        assert refused.value.status_code == 404
    for path in ("", "demo", "demo/.."):
        with pytest.raises(HTTPError) as refused:
            await manager.delete(path)
        assert refused.value.status_code == 400
    await fill(manager)
    assert (await manager.get("demo/d/1"))["content"] == "demo/d/1"
    assert len(await manager.list_versions("demo/d/1")) == 1


async def test_a_deleted_body_is_kept(manager: FleetContentsManager) -> None:
    await manager.save(text("gone?"), "demo/a")
    await manager.delete("demo/a")
    listed = manager.storage.bucket._client.list_objects_v2(
        Bucket="contents", Prefix=manager.storage.bucket.address.prefix + "demo/"
    )
    assert len(listed["Contents"]) == 1


async def test_listing(manager: FleetContentsManager) -> None:
    await fill(manager)
    for name in (".hidden", "x.pyc", "n.ipynb"):
        model = notebook("1") if name == "n.ipynb" else text("x")
        await manager.save(model, f"demo/d/{name}")
    model = await manager.get("demo/d")
    assert (model["type"], model["format"], model["size"]) == ("directory", "json", None)
    assert [(e["name"], e["type"], e["path"], e["content"]) for e in model["content"]] == [
        ("1", "file", "demo/d/1", None),
        ("e", "directory", "demo/d/e", None),
        ("n.ipynb", "notebook", "demo/d/n.ipynb", None),
    ]
    assert await manager.is_hidden("demo/d/.hidden")
    assert await manager.is_hidden("demo/.d/x")
    assert not await manager.is_hidden("demo/d/x.")
    assert (await manager.get("demo/d", content=False))["content"] is None


async def test_untitled(manager: FleetContentsManager) -> None:
    made = [
        (await manager.new_untitled("demo", **arguments))["path"]
        for arguments in (
            {"type": "notebook"},
            {"ext": ".ipynb"},
            {"type": "file", "ext": ".txt"},
            {"type": "file", "ext": ".txt"},
            {"type": "directory"},
            {"type": "directory"},
        )
    ]
    assert made == [
        "demo/Untitled.ipynb",
        "demo/Untitled1.ipynb",
        "demo/untitled.txt",
        "demo/untitled1.txt",
        "demo/Untitled Folder",
        "demo/Untitled Folder 1",
    ]
    assert (await manager.get(made[0]))["content"]["cells"] == []
    for path, status in (("", 400), ("demo/none", 404), ("demo/untitled.txt", 404)):
        with pytest.raises(HTTPError) as refused:
            await manager.new_untitled(path, type="file")
        assert refused.value.status_code == status


async def test_copying(manager: FleetContentsManager) -> None:
    await manager.save(text("old"), "demo/a.tar.gz")
    original = await manager.save(text("new"), "demo/a.tar.gz")
    await manager.save({"type": "directory"}, "demo/d")
    requests = count_requests(manager)
    copies = [
        await manager.copy("demo/a.tar.gz"),
        await manager.copy("demo/a.tar.gz", "demo"),
        await manager.copy("demo/a-Copy1.tar.gz"),
        await manager.copy("demo/a.tar.gz", "demo/d"),
        await manager.copy("demo/a.tar.gz", "demo/d/b"),
    ]
    assert requests == ["PUT"] * 5, "the store copies by itself"
    assert [model["path"] for model in copies] == [
        "demo/a-Copy1.tar.gz",
        "demo/a-Copy2.tar.gz",
        "demo/a-Copy3.tar.gz",
        "demo/d/a.tar.gz",
        "demo/d/b",
    ]
    for model in copies:
        assert (await manager.get(model["path"]))["content"] == "new"
        assert model["hash"] == original["hash"]
        assert len(await manager.list_versions(model["path"])) == 1
    for source, target, status in (
        ("demo/d", "demo", 400),
        ("demo/none", "demo", 404),
        ("demo/a.tar.gz", "demo/none/x", 404),
        ("demo/a.tar.gz", "demo/d/b", 409),
        ("demo/a.tar.gz", "", 400),
    ):
        with pytest.raises(HTTPError) as refused:
            await manager.copy(source, target)
        assert refused.value.status_code == status, (source, target)


async def test_checkpoints(manager: FleetContentsManager) -> None:
    await manager.save(text("1"), "demo/a")
    assert await manager.list_checkpoints("demo/a") == []
    first = await manager.create_checkpoint("demo/a")
    await manager.save(text("2"), "demo/a")
    second = await manager.create_checkpoint("demo/a")
    await manager.save(text("3"), "demo/a")
    assert await manager.list_checkpoints("demo/a") == [first, second]
    await manager.restore_checkpoint(first["id"], "demo/a")
    assert (await manager.get("demo/a"))["content"] == "1"
    await manager.delete_checkpoint(first["id"], "demo/a")
    assert await manager.list_checkpoints("demo/a") == [second]
    for act in (
        manager.delete_checkpoint(first["id"], "demo/a"),
        manager.restore_checkpoint("nonsense", "demo/a"),
        manager.list_checkpoints("demo/none"),
        manager.create_checkpoint("demo/none"),
    ):
        with pytest.raises(HTTPError) as refused:
            await act
        assert refused.value.status_code == 404


# --- chunks -------------------------------------------------------------------------------------


def chunk(number: int, content: bytes, **more: Any) -> dict[str, Any]:
    encoded = base64.b64encode(content).decode()
    return {"type": "file", "format": "base64", "content": encoded, "chunk": number, **more}


async def test_chunks_reach_different_labs(
    manager: FleetContentsManager, new_manager: Callable[[], FleetContentsManager]
) -> None:
    other = new_manager()
    await manager.save(text("old"), "demo/big")
    parts = [bytes([n]) * 100_000 for n in range(4)]
    for number, part in enumerate(parts[:-1], start=1):
        lab = other if number % 2 else manager
        answer = await lab.save(chunk(number, part), "demo/big")
        assert answer["size"] == number * 100_000
        assert (await manager.get("demo/big"))["content"] == "old", "nothing is half visible"
    saved = await manager.save(chunk(-1, parts[-1]), "demo/big")
    assert saved["size"] == 400_000
    model = await other.get("demo/big", format="base64")
    assert base64.b64decode(model["content"]) == b"".join(parts)
    assert model["hash"] == saved["hash"]
    listed = manager.storage.bucket._client.list_objects_v2(
        Bucket="contents", Prefix=manager.storage.bucket.address.prefix + "demo/.parts/"
    )
    assert listed.get("KeyCount", 0) == 0, "parts are cleared away"


async def test_chunks_out_of_order_are_refused(manager: FleetContentsManager) -> None:
    for number in (2, -1):
        with pytest.raises(HTTPError) as refused:
            await manager.save(chunk(number, b"x"), "demo/big")
        assert refused.value.status_code == 409
    await manager.save(chunk(1, b"a"), "demo/big")
    for number in (3, 1000):
        with pytest.raises(HTTPError) as refused:
            await manager.save(chunk(number, b"x"), "demo/big")
        assert refused.value.status_code == 409
    await manager.save(chunk(2, b"b"), "demo/big")
    with pytest.raises(HTTPError) as refused:
        await manager.save(chunk(2, b"again"), "demo/big")
    assert refused.value.status_code == 409
    act_as(make_identity("bob"))
    with pytest.raises(HTTPError) as refused:
        await manager.save(chunk(3, b"of somebody else"), "demo/big")
    assert refused.value.status_code == 409
    act_as(make_identity("ada"))
    assert not await manager.exists("demo/big")
    await manager.save(chunk(-1, b"c"), "demo/big")
    assert (await manager.get("demo/big"))["content"] == "abc"
    for wrong in (0, -2, "1", True, 1.5):
        with pytest.raises(HTTPError) as refused:
            await manager.save({**chunk(1, b"x"), "chunk": wrong}, "demo/big")
        assert refused.value.status_code == 400


async def test_a_new_upload_replaces_an_unfinished_one(manager: FleetContentsManager) -> None:
    await manager.save(chunk(1, b"left"), "demo/big")
    await manager.save(chunk(2, b"behind"), "demo/big")
    await manager.save(chunk(1, b"new"), "demo/big")
    await manager.save(chunk(-1, b"!"), "demo/big")
    assert (await manager.get("demo/big"))["content"] == "new!"
    listed = manager.storage.bucket._client.list_objects_v2(
        Bucket="contents", Prefix=manager.storage.bucket.address.prefix + "demo/.parts/"
    )
    assert listed.get("KeyCount", 0) == 0


async def test_the_last_chunk_of_an_upload_checks_its_base(manager: FleetContentsManager) -> None:
    first = await manager.save(text("1"), "demo/big")
    await manager.save(chunk(1, b"a", base_version=first["version"]), "demo/big")
    await manager.save(text("2"), "demo/big")
    with pytest.raises(SaveConflictAnswer):
        await manager.save(chunk(-1, b"b", base_version=first["version"]), "demo/big")
    assert (await manager.get("demo/big"))["content"] == "2"


# --- trouble ------------------------------------------------------------------------------------


async def test_store_away_is_503_and_changes_nothing(
    manager: FleetContentsManager, caplog: pytest.LogCaptureFixture
) -> None:
    await manager.save(text("1"), "demo/a")
    manager.storage.bucket = Bucket("s3://contents?endpoint=http://127.0.0.1:1")
    for act in (manager.save(text("2"), "demo/a"), manager.get("demo/a")):
        with pytest.raises(HTTPError) as refused:
            await act
        assert refused.value.status_code == 503
        # What is away and what to do; where it is stays in the log.
        assert "the store of file contents is unavailable" in str(refused.value.log_message)
        assert "127.0.0.1" not in str(refused.value.log_message)
    assert "http://127.0.0.1:1 cannot be reached" in caplog.text
    assert len(await manager.list_versions("demo/a")) == 1


async def test_database_away_is_503(
    manager: FleetContentsManager, caplog: pytest.LogCaptureFixture
) -> None:
    await manager.save(text("1"), "demo/a")
    manager.storage.database = Database("mysql://nobody:secret@127.0.0.1:1/none", threads=1)
    for act in (
        manager.save(text("2"), "demo/a"),
        manager.get("demo/a"),
        manager.file_exists("demo/a"),
    ):
        with pytest.raises(HTTPError) as refused:
            await act
        assert refused.value.status_code == 503
        assert "the database is unavailable" in str(refused.value.log_message)
        assert "127.0.0.1" not in str(refused.value.log_message)
    assert "@127.0.0.1:1/none cannot be reached" in caplog.text
    assert "secret" not in caplog.text
    # Once in a while, not with each call.
    assert caplog.text.count("cannot be reached") == 1
    manager.storage.database.close()


async def test_pre_save_hook_can_change_and_refuse(manager: FleetContentsManager) -> None:
    def hook(model: dict[str, Any], path: str, **_: Any) -> None:
        if model["content"] == "no":
            raise HTTPError(400, "refused by the hook")
        model["content"] = model["content"].upper()

    manager.register_pre_save_hook(hook)
    await manager.save(text("yes"), "demo/a")
    with pytest.raises(HTTPError, match="refused by the hook"):
        await manager.save(text("no"), "demo/a")
    assert (await manager.get("demo/a"))["content"] == "YES"


async def test_nothing_is_left_of_a_refused_folder(manager: FleetContentsManager) -> None:
    def count(connection: Connection) -> int:
        return connection.execute(select(func.count()).select_from(node)).scalar_one()

    await manager.save({"type": "directory"}, "demo/d")
    before = manager.storage.database.run_blocking(count)
    await manager.save({"type": "directory"}, "demo/d")
    with pytest.raises(HTTPError):
        await manager.save({"type": "directory"}, "demo/none/d")
    assert manager.storage.database.run_blocking(count) == before


@pytest.mark.parametrize(
    ("below", "target", "limit"),
    [
        # The path of what is below would have 41 names, or 1025 bytes.
        (["d"] * 19, "demo" + "/t" * 19, "40 names"),
        (["é" * 120] * 3, "demo" + "/" + "t" * 147 + "/" + "u" * 140, "1024 bytes"),
    ],
    ids=["names", "bytes"],
)
async def test_a_folder_is_not_moved_out_of_reach(
    manager: FleetContentsManager, below: list[str], target: str, limit: str
) -> None:
    for folder in ("/".join(["demo", "a", *below]), target):
        names = folder.split("/")
        for end in range(2, len(names) + 1):
            await manager.save({"type": "directory"}, "/".join(names[:end]))
    deepest = "/".join(["demo", "a", *below, "x" if limit == "40 names" else "x" * 3])
    await manager.save(text("x"), deepest)
    # One level, or one byte, less can still be reached.
    fits = target.rsplit("/", 1)[0] + "/a" if limit == "40 names" else target + "/" + "a" * 3
    over = target + "/a" if limit == "40 names" else target + "/" + "a" * 4
    with pytest.raises(HTTPError) as refused:
        await manager.rename("demo/a", over)
    assert refused.value.status_code == 400
    assert limit in str(refused.value.log_message)
    assert (await manager.get(deepest))["content"] == "x"
    await manager.rename("demo/a", fits)
    assert (await manager.get(deepest.replace("demo/a", fits, 1)))["content"] == "x"
