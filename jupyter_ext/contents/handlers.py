"""HTTP handlers of the contents API, to be installed before the stock ones of the same patterns.

They differ in three ways: big bodies are read and written on threads, `?version=` reads an earlier
version, and errors have their complete JSON body (a conflict says which version is there).
"""

import asyncio
import json
import re
import sys
from typing import Any

from jupyter_client.jsonutil import json_default
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import path_regex
from jupyter_server.services.contents import handlers as stock
from tornado import web

from jupyter_ext.answer_tag import ShortAnswersTagged
from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.audit.notes import note
from jupyter_ext.contents.body_threads import request_bytes
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.platform import big_json

BIG_BODY = 64 * 1024
"""JSON of at least this many bytes is parsed on a thread."""
BIG_LIST = 100
"""The JSON of a folder with at least this many entries is written on a thread."""
ENTRY_BYTES = 400
"""Approximate size of a folder's entry in JSON."""
_TEXTS = ("path", "copy_from", "ext", "type", "format", "base_version")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_COUNT = re.compile("[1-9][0-9]{0,5}")
_TYPES = (None, "", "directory", "file", "notebook")


async def _stock(answering: Any) -> None:
    """Awaits a stock method, whose decorators give it a type that includes None."""
    await answering


class ContentsHandler(ErrorBody, ShortAnswersTagged, stock.ContentsHandler):
    """`/api/contents/<path>`."""

    contents_manager: FleetContentsManager
    _parsed: tuple[Any] | None = None
    _answer: dict[str, Any] | None = None
    _reading: asyncio.Task[None] | None = None

    def get_json_body(self) -> Any:
        return self._parsed[0] if self._parsed is not None else super().get_json_body()

    def _finish_model(self, model: dict[str, Any], location: bool = True) -> None:
        """Keeps the model; after the stock method, `_send` encodes it on a thread."""
        if location:
            self.set_header("Location", self.location_url(model["path"]))
        self.set_header("Last-Modified", model["last_modified"])
        self._answer = model
        self._note(model)

    def _note(self, model: dict[str, Any]) -> None:
        """For the audit: pages list folders, and ask whether files have changed, all the time."""
        if self.request.method == "GET" and (
            model["type"] == "directory" or model["content"] is None
        ):
            note(self, action="file.look", kind=Kind.POLL)
        elif self.request.method == "PATCH":
            note(self, to=model["path"])
        elif self.request.method == "POST":
            note(self, path=model["path"])

    async def _finish_error(self, code: int, message: str) -> None:
        """Answers errors in JSON as the other methods do; the stock one writes plain text here."""
        error = sys.exc_info()[1]
        raise error if isinstance(error, web.HTTPError) else web.HTTPError(code, message)

    async def _parse(self) -> None:
        body = self.request.body
        request_bytes.set(len(body))
        if len(body) > BIG_BODY:
            work = self.contents_manager.work
            try:
                self._parsed = (await work(lambda: big_json.loads(body), len(body)),)
            except ValueError as error:
                # Without trying again on the event loop, as the stock method would.
                raise web.HTTPError(400, f"the body is not JSON: {error}") from error

    def _check_body(self) -> None:
        """Raises HTTPError 400 for bodies that the stock methods fail on or mistake for a file."""
        body = self.get_json_body()
        if body is None:
            return
        if not isinstance(body, dict):
            raise web.HTTPError(400, "the body must be a JSON object")
        for name in _TEXTS:
            text = body.get(name) or ""
            if not isinstance(text, str) or _LONE_SURROGATE.search(text):
                raise web.HTTPError(400, f"{name} must be valid Unicode text")
        if body.get("type") not in _TYPES:
            raise web.HTTPError(400, "type must be 'directory', 'file' or 'notebook'")

    async def _send(self) -> None:
        model = self._answer
        if model is None:
            return
        content = model["content"]
        is_big = len(content) > BIG_LIST if isinstance(content, list) else content is not None
        if is_big:
            size = ENTRY_BYTES * len(content) if isinstance(content, list) else model["size"]
            body = await self.contents_manager.work(
                lambda: big_json.dumps(model, json_default), size
            )
        else:
            body = json.dumps(model, default=json_default).encode()
        self.finish(body)

    @web.authenticated
    @authorized
    async def get(self, path: str = "") -> None:
        self._reading = asyncio.ensure_future(self._get(path))
        try:
            await self._reading
        except asyncio.CancelledError:
            # The client is gone.
            raise web.Finish from None

    def on_connection_close(self) -> None:
        """Stop reading when the client is gone. A save that was received is still carried out."""
        super().on_connection_close()
        if self._reading is not None:
            self._reading.cancel()

    async def _get(self, path: str) -> None:
        version = self.get_query_argument("version", default=None)
        if version is None:
            await _stock(super().get(path))
        else:
            model = await self.contents_manager.get(
                path,
                content=self.get_query_argument("content", default="1") == "1",
                type=self.get_query_argument("type", default=None),
                format=self.get_query_argument("format", default=None),
                version=version,
            )
            self._finish_model(model, location=False)
        await self._send()

    @web.authenticated
    @authorized
    async def put(self, path: str = "") -> None:
        await self._parse()
        self._check_body()
        await _stock(super().put(path))
        await self._send()

    @web.authenticated
    @authorized
    async def post(self, path: str = "") -> None:
        self._check_body()
        await _stock(super().post(path))
        await self._send()

    @web.authenticated
    @authorized
    async def patch(self, path: str = "") -> None:
        self._check_body()
        if not (self.get_json_body() or {}).get("path"):
            raise web.HTTPError(400, 'send the new path: {"path": "<project>/…"}')
        await _stock(super().patch(path))
        await self._send()


class CheckpointsHandler(ErrorBody, stock.CheckpointsHandler):
    """`/api/contents/<path>/checkpoints`."""


class ModifyCheckpointsHandler(ErrorBody, stock.ModifyCheckpointsHandler):
    """`/api/contents/<path>/checkpoints/<id>`."""


class TrustNotebooksHandler(ErrorBody, stock.TrustNotebooksHandler):
    """`/api/contents/<path>/trust`."""


class VersionsHandler(ErrorBody, ShortAnswersTagged, stock.ContentsAPIHandler):
    """`/api/fleet/versions/<path>`: every version of a file that is kept, oldest first.

    `?newest=` asks for so many of the newest only. Not below `/api/contents`, where a file may be
    called `versions`.
    """

    contents_manager: FleetContentsManager

    @web.authenticated
    @authorized
    async def get(self, path: str = "") -> None:
        newest = self.get_query_argument("newest", default=None)
        if newest is not None and not _COUNT.fullmatch(newest):
            raise web.HTTPError(400, "newest must be a number from 1 to 999999")
        versions = await self.contents_manager.list_versions(
            path, None if newest is None else int(newest)
        )
        self.finish(json.dumps(versions, default=json_default))


handlers: list[tuple[str, type[web.RequestHandler]]] = [
    (rf"/api/contents{path_regex}/checkpoints", CheckpointsHandler),
    (
        rf"/api/contents{path_regex}/checkpoints/{stock._checkpoint_id_regex}",
        ModifyCheckpointsHandler,
    ),
    (rf"/api/contents{path_regex}/trust", TrustNotebooksHandler),
    (rf"/api/contents{path_regex}", ContentsHandler),
    (rf"/api/fleet/versions{path_regex}", VersionsHandler),
]
"""To be installed below the server's base_url, before the stock handlers."""
