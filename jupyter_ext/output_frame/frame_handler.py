"""`/fleet/frame`: the page for outputs. It is open to everybody and says nothing of anybody."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler

from jupyter_ext.output_frame.frame_policy import frame_headers


class OutputFrameHandler(JupyterHandler):
    """Sends the page with headers of its own, whatever those of the server are."""

    def initialize(self, *, web: bool, shown_by: str = "'self'") -> None:
        """`web`: whether outputs may load from the web; `shown_by`: see `frame_headers`."""
        self._headers_of_frame = frame_headers(web=web, shown_by=shown_by)

    @allow_unauthenticated
    def get(self) -> None:
        """The page."""
        self.clear_header("X-Frame-Options")
        for name, value in self._headers_of_frame.items():
            self.set_header(name, value)
        self.finish(frame_page())

    @allow_unauthenticated
    def head(self) -> None:
        """Its headers."""
        self.get()


@cache
def frame_page() -> str:
    """The page with its style and script in it: without an origin it could load neither."""
    folder = files(__package__)
    parts = {name: (folder / f"frame.{name}").read_text("utf-8") for name in ("html", "css", "js")}
    return parts["html"].replace("{css}", parts["css"]).replace("{js}", parts["js"])
