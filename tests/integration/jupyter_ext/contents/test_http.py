"""The contents API over HTTP, through a real Jupyter server."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from jupyter_server.auth import IdentityProvider, User
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from traitlets.config import Config

from jupyter_ext.auth.user import FleetUser, current_username
from jupyter_ext.contents import export_handler
from jupyter_ext.contents.export import Exports
from jupyter_ext.contents.handlers import handlers
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.contents.widget_state import HIDDEN, STATE
from jupyter_ext.database.engine import shared
from jupyter_ext.platform.roles import Role
from jupyter_ext.userdata.signatures import SqlSignatureStore
from tests.integration.jupyter_ext.contents.conftest import make_identity

CALLERS = {
    "ada": make_identity("ada"),
    "bob": make_identity("bob", {"demo": Role.EDITOR}),
    "vic": make_identity("vic", {"demo": Role.VIEWER}),
    "eve": make_identity("eve", {"hers": Role.OWNER}),
}

Fetch = Callable[..., Awaitable[tuple[int, Any]]]


class NamedCallers(IdentityProvider):
    """Believes the header X-Caller."""

    def get_user(self, handler: Any) -> User | None:
        identity = CALLERS.get(handler.request.headers.get("X-Caller", ""))
        # As for any caller who shows a token: neither XSRF nor origin matter.
        handler._token_authenticated = identity is not None
        return None if identity is None else FleetUser.of(identity)


@pytest.fixture
def jp_server_config(lab_database_url: str, store_url: str) -> Config:
    config = Config()
    config.ServerApp.contents_manager_class = FleetContentsManager
    config.ServerApp.identity_provider_class = NamedCallers
    config.JupyterFleet.database_url = lab_database_url
    config.JupyterFleet.bucket_url = store_url
    signatures = SqlSignatureStore(shared(lab_database_url), current_username)
    config.NotebookNotary.store_factory = lambda: signatures
    return config


@pytest.fixture
def fetch(
    jp_serverapp: ServerApp, jp_base_url: str, http_server: Any, http_server_port: Any
) -> Fetch:
    """Answers `await fetch(method, path, body, caller=…)` with the status and the JSON body."""
    jp_serverapp.web_app.add_handlers(
        ".*$",
        [
            (url_path_join(jp_base_url, pattern), *handler)
            for pattern, *handler in (*handlers, *export_handler.handlers(Exports()))
        ],
    )
    client = AsyncHTTPClient()

    async def fetch(
        method: str, path: str, body: Any = None, *, caller: str = "ada", raw: bool = False
    ) -> tuple[int, Any]:
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        answer: HTTPResponse = await client.fetch(
            f"http://127.0.0.1:{http_server_port[-1]}" + url_path_join(jp_base_url, path),
            method=method,
            body=body,
            headers={"X-Caller": caller},
            raise_error=False,
            allow_nonstandard_methods=True,
            request_timeout=20,
        )
        if raw:
            return answer.code, answer
        return answer.code, json.loads(answer.body) if answer.body else None

    return fetch


def text(content: str, **more: Any) -> dict[str, Any]:
    return {"type": "file", "format": "text", "content": content, **more}


async def test_a_notebook_from_new_to_deleted(fetch: Fetch) -> None:
    status, made = await fetch("POST", "api/contents/demo", {"type": "notebook"})
    assert (status, made["path"], made["type"]) == (201, "demo/Untitled.ipynb", "notebook")
    status, opened = await fetch("GET", "api/contents/demo/Untitled.ipynb?content=1&hash=1")
    assert status == 200
    assert opened["version"] == made["version"]
    assert opened["hash_algorithm"] == "sha256"
    body = {
        "type": "notebook",
        "format": "json",
        "content": new_notebook(cells=[new_code_cell("x = 41")]),
        "base_version": opened["version"],
    }
    status, saved = await fetch("PUT", "api/contents/demo/Untitled.ipynb", body)
    assert status == 200
    assert saved["content"] is None
    assert saved["version"] not in (None, opened["version"])
    status, checked = await fetch("GET", "api/contents/demo/Untitled.ipynb?content=0&hash=1")
    assert (checked["version"], checked["hash"]) == (saved["version"], saved["hash"])
    status, renamed = await fetch(
        "PATCH", "api/contents/demo/Untitled.ipynb", {"path": "demo/answer.ipynb"}
    )
    assert (status, renamed["path"], renamed["version"]) == (
        200,
        "demo/answer.ipynb",
        saved["version"],
    )
    status, opened = await fetch("GET", "api/contents/demo/answer.ipynb")
    assert opened["content"]["cells"][0]["source"] == "x = 41"
    status, copied = await fetch("POST", "api/contents/demo", {"copy_from": "demo/answer.ipynb"})
    assert (status, copied["path"]) == (201, "demo/answer-Copy1.ipynb")
    status, listed = await fetch("GET", "api/contents/demo")
    assert [entry["name"] for entry in listed["content"]] == [
        "answer-Copy1.ipynb",
        "answer.ipynb",
    ]
    assert (await fetch("DELETE", "api/contents/demo/answer.ipynb"))[0] == 204
    assert (await fetch("GET", "api/contents/demo/answer.ipynb"))[0] == 404
    status, root = await fetch("GET", "api/contents")
    assert [entry["path"] for entry in root["content"]] == ["demo"]


async def test_conflict_says_who_and_what(fetch: Fetch) -> None:
    _, first = await fetch("PUT", "api/contents/demo/a.txt", text("1", base_version=None))
    status, second = await fetch(
        "PUT",
        "api/contents/demo/a.txt",
        text("2", base_version=first["version"]),
        caller="bob",
    )
    assert status == 200
    status, answer = await fetch(
        "PUT", "api/contents/demo/a.txt", text("3", base_version=first["version"])
    )
    assert status == 409
    assert answer == {
        "message": "demo/a.txt was saved by bob in the meantime; nothing was saved",
        "version": second["version"],
        "last_modified": second["last_modified"],
        "saved_by": "bob",
    }
    status, answer = await fetch(
        "PUT", "api/contents/demo/none.txt", text("3", base_version=first["version"])
    )
    assert (status, answer["version"]) == (409, None)
    status, overwritten = await fetch(
        "PUT", "api/contents/demo/a.txt", text("3", base_version=second["version"])
    )
    assert status == 200
    status, history = await fetch("GET", "api/fleet/versions/demo/a.txt")
    assert [(each["version"], each["saved_by"]) for each in history] == [
        (first["version"], "ada"),
        (second["version"], "bob"),
        (overwritten["version"], "ada"),
    ]
    status, newest = await fetch("GET", "api/fleet/versions/demo/a.txt?newest=2")
    assert (status, newest) == (200, history[1:])
    for wrong in ("0", "-1", "x", "1000000", ""):
        status, refused = await fetch("GET", f"api/fleet/versions/demo/a.txt?newest={wrong}")
        assert (status, refused["message"]) == (400, "newest must be a number from 1 to 999999")
    status, lost = await fetch("GET", f"api/contents/demo/a.txt?version={second['version']}")
    assert (status, lost["content"]) == (200, "2")


BAD_REQUESTS: list[tuple[str, str, Any, int, str]] = [
    ("PUT", "demo/x.ipynb", b"this is no JSON", 400, "JSON"),
    ("PUT", "demo/x.ipynb", b"[1, 2]", 400, "JSON object"),
    ("PUT", "demo/x.ipynb", b"x" * 100_000, 400, "JSON"),
    ("PUT", "demo/x.ipynb", {"type": "notebook", "content": "no"}, 400, "not a notebook"),
    ("PUT", "demo/%2e%2e/x", text("x"), 400, "'..'"),
    ("PUT", "demo/a%2f%2fb", text("x"), 400, "two slashes"),
    ("PUT", "demo/a%00b", text("x"), 400, "NUL"),
    ("PUT", "demo/" + "x" * 256, text("x"), 400, "255 bytes"),
    ("PUT", "demo/100%25", text("x", format="odd"), 400, "format"),
    ("PUT", "demo", text("x"), 400, "demo is a folder"),
    ("PUT", "x", text("x"), 404, "no project 'x'"),
    ("PUT", "hers/x", text("x"), 404, "no project 'hers'"),
    ("PATCH", "demo/x", {"path": "demo/../y"}, 400, "'..'"),
    ("PATCH", "demo/none", {"path": "demo/y"}, 404, "demo/none does not exist"),
    ("POST", "", {"type": "notebook"}, 400, "projects"),
    ("POST", "demo/none", {"type": "notebook"}, 404, "demo/none"),
    ("POST", "demo", {"copy_from": "demo/none"}, 404, "demo/none"),
    ("DELETE", "demo/none", None, 404, "demo/none"),
    ("DELETE", "demo", None, 400, "project"),
    ("GET", "hers", None, 404, "hers"),
    ("GET", "demo?hash=1", None, 400, "hash"),
    ("GET", "demo/none/checkpoints", None, 404, "demo/none"),
]


async def test_bad_input_is_refused_with_a_clear_message(fetch: Fetch) -> None:
    for method, path, body, status, words in BAD_REQUESTS:
        code, answer = await fetch(method, "api/contents/" + path, body)
        assert code == status, (method, path)
        assert words in answer["message"], (method, path)
    _, listed = await fetch("GET", "api/contents/demo")
    assert listed["content"] == []


async def test_roles(fetch: Fetch) -> None:
    quoted = "api/contents/demo/100%25%20%E2%98%83.txt"
    await fetch("PUT", quoted, text("x"))
    status, read = await fetch("GET", quoted, caller="vic")
    assert (status, read["content"], read["writable"]) == (200, "x", False)
    status, answer = await fetch("PUT", quoted, text("y"), caller="vic")
    assert status == 403
    assert answer["message"] == "you are viewer of project 'demo'; this needs the role editor"
    status, _ = await fetch("GET", quoted, caller="eve")
    assert status == 404
    assert (await fetch("GET", quoted, caller="nobody"))[0] == 403


async def test_percent_signs_in_messages(fetch: Fetch) -> None:
    status, answer = await fetch("DELETE", "api/contents/demo/100%25")
    assert (status, answer["message"]) == (404, "demo/100% does not exist")


async def test_checkpoints_over_http(fetch: Fetch) -> None:
    await fetch("PUT", "api/contents/demo/a.txt", text("1"))
    status, made = await fetch("POST", "api/contents/demo/a.txt/checkpoints")
    assert status == 201
    await fetch("PUT", "api/contents/demo/a.txt", text("2"))
    status, listed = await fetch("GET", "api/contents/demo/a.txt/checkpoints")
    assert listed == [made]
    status, _ = await fetch("POST", f"api/contents/demo/a.txt/checkpoints/{made['id']}")
    assert status == 204
    _, read = await fetch("GET", "api/contents/demo/a.txt")
    assert read["content"] == "1"
    status, _ = await fetch("DELETE", f"api/contents/demo/a.txt/checkpoints/{made['id']}")
    assert status == 204
    assert (await fetch("GET", "api/contents/demo/a.txt/checkpoints"))[1] == []


async def test_raw_download(fetch: Fetch) -> None:
    body = bytes(range(256))
    encoded = base64.b64encode(body).decode()
    await fetch(
        "PUT",
        "api/contents/demo/a.bin",
        {"type": "file", "format": "base64", "content": encoded},
    )
    status, answer = await fetch("GET", "files/demo/a.bin", raw=True)
    assert (status, answer.body) == (200, body)
    status, _ = await fetch("GET", "files/demo/a.bin", caller="eve", raw=True)
    assert status == 404


async def test_a_file_is_read_no_further_when_the_client_is_gone(
    fetch: Fetch,
    jp_serverapp: ServerApp,
    jp_base_url: str,
    http_server_port: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun, canceled = asyncio.Event(), asyncio.Event()

    async def wait_for_a_thread(*_: Any, **__: Any) -> None:
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            canceled.set()
            raise

    monkeypatch.setattr(jp_serverapp.contents_manager, "get", wait_for_a_thread)
    _, writer = await asyncio.open_connection("127.0.0.1", http_server_port[-1])
    path = url_path_join(jp_base_url, "api/contents/demo/a.txt")
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Caller: ada\r\n\r\n".encode())
    await asyncio.wait_for(begun.wait(), 20)
    writer.close()
    await asyncio.wait_for(canceled.wait(), 20)


async def test_big_bodies_do_not_hold_the_event_loop(fetch: Fetch) -> None:
    """While 8 MB are saved and read again, nothing keeps the loop's thread for long.

    Measured is the processor time of that thread: other processes load the machine while tests run.
    """
    big = "0123456789abcde\n" * (8 * 2**20 // 16)
    body = json.dumps(text(big)).encode()
    longest = 0.0
    done = False

    async def watch() -> None:
        nonlocal longest
        while not done:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.thread_time() - before)

    watcher = asyncio.ensure_future(watch())
    status, _ = await fetch("PUT", "api/contents/demo/big.txt", body)
    assert status == 201
    status, answer = await fetch("GET", "api/contents/demo/big.txt", raw=True)
    done = True
    await watcher
    assert status == 200
    assert len(answer.body) > len(big)
    assert longest < 1.0


WRONG_TYPES: list[tuple[str, str, Any]] = [
    ("PATCH", "a.txt", {"path": 3}),
    ("PATCH", "a.txt", {}),
    ("PATCH", "a.txt", [1]),
    ("POST", "", [1]),
    ("POST", "", {"copy_from": 3}),
    ("POST", "", {"ext": 3}),
    ("POST", "", {"type": "folder"}),
    ("POST", "", {"type": []}),
    ("PUT", "new.txt", text("x") | {"type": "folder"}),
    ("PUT", "new.txt", text("x") | {"type": 3}),
    ("PUT", "new.txt", text("x") | {"path": 3}),
]


async def test_wrong_types_are_refused(fetch: Fetch) -> None:
    assert (await fetch("PUT", "api/contents/demo/a.txt", text("a")))[0] == 201
    for method, path, body in WRONG_TYPES:
        status, answer = await fetch(method, f"api/contents/demo/{path}".rstrip("/"), body)
        assert status == 400, (method, path, body)
        assert answer["message"], (method, path, body)
        _, listed = await fetch("GET", "api/contents/demo")
        names = [entry["name"] for entry in listed["content"]]
        assert names == ["a.txt"], (method, path, body)


async def test_a_notebook_that_cannot_be_written_is_refused(fetch: Fetch) -> None:
    body = {"type": "notebook", "format": "json", "content": new_notebook()}
    body["content"]["metadata"]["x"] = "\ud800"
    status, answer = await fetch("PUT", "api/contents/demo/a.ipynb", body)
    assert status == 400
    assert "cannot be written" in answer["message"]
    assert (await fetch("GET", "api/contents/demo/a.ipynb"))[0] == 404


def shown(*cells: Any) -> dict[str, Any]:
    return {"type": "notebook", "format": "json", "content": new_notebook(cells=list(cells))}


def scripted_cell(**metadata: Any) -> Any:
    script = new_output("display_data", {"text/html": "<script>steal()</script>"})
    return new_code_cell("show()", outputs=[script], metadata=metadata)


async def trusting(fetch: Fetch, path: str = "api/contents/demo/n.ipynb") -> set[str]:
    """To whom the notebook's output is shown as trusted."""
    found = set()
    for caller in ("ada", "bob", "vic"):
        status, model = await fetch("GET", path, caller=caller)
        assert status == 200
        cells = model["content"]["cells"]
        if all(cell["metadata"].get("trusted") for cell in cells):
            found.add(caller)
        else:
            assert not any(cell["metadata"].get("trusted") for cell in cells)
    return found


async def test_what_one_user_trusts_nobody_else_does(fetch: Fetch) -> None:
    path = "api/contents/demo/n.ipynb"
    # Bob's page says that its cells are trusted: it may say so for bob.
    assert (await fetch("PUT", path, shown(scripted_cell(trusted=True)), caller="bob"))[0] == 201
    assert await trusting(fetch) == {"bob"}
    # A viewer trusts for herself.
    assert (await fetch("POST", f"{path}/trust", caller="vic", raw=True))[0] == 201
    assert await trusting(fetch) == {"bob", "vic"}
    assert (await fetch("POST", f"{path}/trust", caller="eve", raw=True))[0] == 404
    # The same content somewhere else is the same content to each of them.
    status, copied = await fetch("POST", "api/contents/demo", {"copy_from": "demo/n.ipynb"})
    assert status == 201
    assert await trusting(fetch, f"api/contents/{copied['path']}") == {"bob", "vic"}
    # Another script is trusted by whoever sent it, not by those who trusted the one before.
    status, marked = await fetch("POST", f"{path}/checkpoints")
    assert status == 201
    other = shown(scripted_cell(trusted=True), scripted_cell(trusted=True))
    assert (await fetch("PUT", path, other))[0] == 200
    assert await trusting(fetch) == {"ada"}
    status, _ = await fetch("POST", f"{path}/checkpoints/{marked['id']}")
    assert status == 204
    assert await trusting(fetch) == {"bob", "vic"}


async def test_widget_state_that_somebody_else_saved_reaches_no_page_under_its_name(
    fetch: Fetch,
) -> None:
    path = "api/contents/demo/n.ipynb"
    model = {"_esm": "steal()"}
    widgets = {STATE: {"version_major": 2, "version_minor": 0, "state": {"m": model}}}
    sent = shown(new_code_cell("1"))
    sent["content"]["metadata"]["widgets"] = widgets

    async def metadata(caller: str, query: str = "") -> Any:
        status, got = await fetch("GET", path + query, caller=caller)
        assert status == 200
        return got["content"]["metadata"]

    async def downloads() -> list[Any]:
        status, raw = await fetch("GET", "files/demo/n.ipynb", raw=True)
        assert status == 200
        _, read = await fetch("GET", f"{path}?type=file&format=text")
        status, exported = await fetch("GET", "nbconvert/notebook/demo/n.ipynb", raw=True)
        assert status == 200
        texts = (raw.body, read["content"], exported.body)
        return [json.loads(text)["metadata"]["widgets"] for text in texts]

    status, saved = await fetch("PUT", path, sent, caller="bob")
    assert status == 201
    assert await metadata("bob") == {"widgets": widgets}
    for caller in ("ada", "vic"):
        assert await metadata(caller) == {HIDDEN: widgets}
        assert await metadata(caller, f"?version={saved['version']}") == {HIDDEN: widgets}
    _, copied = await fetch("POST", "api/contents/demo", {"copy_from": "demo/n.ipynb"})
    _, got = await fetch("GET", f"api/contents/{copied['path']}")
    assert got["content"]["metadata"] == {HIDDEN: widgets}

    # Ada's page sends back what it got, with cells that it trusts.
    _, got = await fetch("GET", path)
    got["content"]["cells"].append(scripted_cell(trusted=True))
    got["content"]["cells"][0]["metadata"]["trusted"] = True
    assert (await fetch("PUT", path, got))[0] == 200
    assert await trusting(fetch) == {"ada"}
    assert [await metadata(caller) for caller in ("ada", "bob")] == [{HIDDEN: widgets}] * 2
    assert await downloads() == [widgets] * 3
    # Nor does it get there as a text file, under either name.
    for name in ("widgets", HIDDEN):
        text_of_it = json.dumps(new_notebook(metadata={name: widgets}))
        assert (await fetch("PUT", path, text(text_of_it)))[0] == 200
        assert [await metadata(caller) for caller in CALLERS if caller != "eve"] == [
            {HIDDEN: widgets}
        ] * 3
    # Whoever trusts the notebook as it is gets all of it.
    assert (await fetch("POST", f"{path}/trust", caller="vic", raw=True))[0] == 201
    assert await metadata("vic") == {"widgets": widgets}
    assert await metadata("ada") == {HIDDEN: widgets}
    # The state of one's own widgets replaces it.
    mine = {STATE: {"state": {"mine": {}}}}
    _, got = await fetch("GET", path)
    got["content"]["metadata"]["widgets"] = mine
    assert (await fetch("PUT", path, got))[0] == 200
    assert await metadata("ada") == {"widgets": mine}
    assert await metadata("vic") == {HIDDEN: mine}


async def test_widget_state_of_old_formats_is_hidden_too(fetch: Fetch) -> None:
    old = {"nbformat": 3, "nbformat_minor": 0, "worksheets": [], "metadata": {"widgets": {"a": 1}}}
    path = "api/contents/demo/old.ipynb"
    body = {"type": "notebook", "format": "json", "content": old}
    assert (await fetch("PUT", path, body, caller="bob"))[0] == 201
    _, got = await fetch("GET", path)
    assert got["content"]["metadata"][HIDDEN] == {"a": 1}
    assert "widgets" not in got["content"]["metadata"]


async def test_a_notebook_is_written_in_a_size_that_does_not_grow_with_its_depth(
    fetch: Fetch,
) -> None:
    deep = f"{'[' * 400}{'1,' * 5000}1{']' * 400}"
    body = (
        '{"type": "notebook", "format": "json", "content": {"nbformat": 4, "nbformat_minor": 5, '
        f'"cells": [], "metadata": {{"x": {deep}}}}}}}'
    )
    status, saved = await fetch("PUT", "api/contents/demo/deep.ipynb", body.encode())
    assert status == 201
    assert saved["size"] < 20_000
    _, got = await fetch("GET", "api/contents/demo/deep.ipynb")
    assert got["content"]["metadata"]["x"] == json.loads(deep)


async def test_a_notebook_sent_as_a_text_file_trusts_itself_for_nobody(fetch: Fetch) -> None:
    note = new_markdown_cell("x", metadata={"trusted": True})
    content = json.dumps(new_notebook(cells=[scripted_cell(trusted=True), note]))
    status, _ = await fetch("PUT", "api/contents/demo/n.ipynb", text(content), caller="bob")
    assert status == 201
    assert await trusting(fetch) == set()


async def test_a_notebook_of_too_many_values_is_refused_also_as_a_text_file(fetch: Fetch) -> None:
    many = f'{{"cells": [{"[]," * 1_000_001}1], "metadata": {{}}, "nbformat": 4}}'
    path = "api/contents/demo/many.ipynb"
    assert (await fetch("PUT", path, text(many)))[0] == 201
    status, refused = await fetch("GET", path)
    assert status == 400
    assert "too much to read" in refused["message"]
    # It is still there, as a text.
    status, found = await fetch("GET", f"{path}?type=file&format=text")
    assert status == 200
    assert (found["content"] == many) is True


async def test_half_a_surrogate_pair_is_refused(fetch: Fetch) -> None:
    for name in ("path", "copy_from", "ext", "base_version", "format"):
        body = {**text("x"), name: "\ud800"}
        for method, path in (("PUT", "demo/a.txt"), ("POST", "demo"), ("PATCH", "demo/a.txt")):
            status, _ = await fetch(method, f"api/contents/{path}", body)
            assert status == 400, (method, path, name)


async def test_a_notebook_that_is_too_deep_is_refused(fetch: Fetch) -> None:
    nested: Any = "x"
    for _ in range(700):
        nested = [nested]
    cell = {"cell_type": "raw", "id": "a", "metadata": {"deep": nested}, "source": ""}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": notebook}
    assert (await fetch("PUT", "api/contents/demo/deep.ipynb", body))[0] == 400
