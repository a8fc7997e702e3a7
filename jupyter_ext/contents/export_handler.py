"""`/nbconvert/<format>/<path>` and `/api/nbconvert`, to be installed before the stock handlers.

The stock handler converts on a thread of the server, where a notebook can keep it busy for hours,
and imports modules that the notebook names. The responses here are the same. The list of formats,
from which the page builds its menu, contains only those that this lab exports.
"""

from __future__ import annotations

import asyncio
import shutil
from os.path import splitext
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import APIHandler, FilesRedirectHandler
from jupyter_server.nbconvert import handlers as stock
from tornado import web

from jupyter_ext.answer_tag import ShortAnswersTagged
from jupyter_ext.auth.user import current_identity
from jupyter_ext.contents import widget_state
from jupyter_ext.contents.export import (
    ExportBusy,
    Exported,
    ExportFailed,
    Exports,
    ExportTooBig,
)
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.platform import big_json
from jupyter_ext.platform.export_formats import export_formats, needs_pandoc, why_not_export


class ExportHandler(ShortAnswersTagged, stock.NbconvertFileHandler):
    """A notebook in another format."""

    contents_manager: FleetContentsManager
    _exporting: asyncio.Task[None] | None = None

    def initialize(self, exports: Exports) -> None:
        """Take the lab's exports, which share their limits."""
        self._exports = exports

    @web.authenticated
    @authorized
    async def get(self, format: str, path: str) -> None:
        """Convert the notebook. With `download=true` the browser saves it; `sanitize_html=true`
        removes scripts."""
        self.check_xsrf_cookie()
        if needs_pandoc(format) and not _has_pandoc():
            raise web.HTTPError(403, why_not_export(format))
        self._exporting = asyncio.ensure_future(self._export(format, path.strip("/")))
        try:
            await self._exporting
        except asyncio.CancelledError:
            # The client is gone.
            raise web.Finish from None
        except ExportBusy as error:
            raise web.HTTPError(503, str(error)) from error
        except ExportTooBig as error:
            raise web.HTTPError(413, str(error)) from error
        except ExportFailed as error:
            self.log.error("nbconvert failed: %s", error.trace)
            raise web.HTTPError(500, f"nbconvert failed: {error}") from error

    def on_connection_close(self) -> None:
        """End the conversion when the client is gone."""
        super().on_connection_close()
        if self._exporting is not None:
            self._exporting.cancel()

    def write_error(self, status_code: int, **arguments: Any) -> None:
        if status_code == 503:
            self.set_header("Retry-After", "10")
        super().write_error(status_code, **arguments)

    async def _export(self, format: str, path: str) -> None:
        identity = current_identity()
        async with self._exports.turn(None if identity is None else identity.user):
            model = await self.contents_manager.get(path)
            if model["type"] != "notebook":
                await FilesRedirectHandler.redirect_to_files(self, path)
                return
            # Shown without the page's origin, so scripts in the document cannot act as the user.
            widget_state.put_back(model["content"])
            job = self._job(format, model)
            exported = await self._exports.run(
                await self.contents_manager.work(lambda: big_json.dumps(job), model["size"])
            )
        self._answer(model, exported)

    def _job(self, format: str, model: dict[str, Any]) -> dict[str, Any]:
        sanitize = self.get_argument("sanitize_html", None) if format == "html" else None
        metadata = {
            "name": splitext(model["name"])[0],
            "modified_date": model["last_modified"].strftime(stock.date_format),
        }
        return {
            "format": format,
            "notebook": model["content"],
            "resources": {"metadata": metadata, "config_dir": self.settings["config_dir"]},
            "config": _config_of_nbconvert(self.config),
            "sanitize_html": None if sanitize is None else sanitize.lower() == "true",
        }

    def _answer(self, model: dict[str, Any], exported: Exported) -> None:
        name = splitext(model["name"])[0]
        self.set_header("Last-Modified", model["last_modified"])
        self.set_header("Cache-Control", "no-store, no-cache, must-revalidate, max-age=0")
        if exported.zip:
            self.set_attachment_header(f"{name}.zip")
            self.set_header("Content-Type", "application/zip")
        else:
            if self.get_argument("download", "false").lower() == "true":
                self.set_attachment_header(name + exported.extension)
            if exported.mimetype:
                self.set_header("Content-Type", f"{exported.mimetype}; charset=utf-8")
        self.finish(exported.body)


class ExportFormatsHandler(APIHandler):
    """`/api/nbconvert`: the formats that this lab exports."""

    auth_resource = "nbconvert"

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with `output_mimetype` by format."""
        self.finish(export_formats(pandoc=_has_pandoc()))


def _has_pandoc() -> bool:
    return shutil.which("pandoc") is not None


def _config_of_nbconvert(config: Any) -> dict[str, Any]:
    """nbconvert's part of the lab's configuration; other parts contain secrets."""
    return {
        name: dict(section)
        for name, section in config.items()
        if name == "NbConvertBase" or name.endswith(("Exporter", "Preprocessor"))
    }


def handlers(exports: Exports) -> list[tuple[Any, ...]]:
    """To be installed below the server's base_url, before the stock handlers."""
    # Unlike the stock pattern, it needs a path: without one, POST has a handler of its own.
    pattern = rf"/nbconvert/{stock._format_regex}(?P<path>(?:/[^/]+)+)"
    return [
        (pattern, ExportHandler, {"exports": exports}),
        (r"/api/nbconvert", ExportFormatsHandler),
    ]
