"""A host name of its own for the page for outputs: nothing else is found there."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import SplitResult, urlsplit

from tornado import web
from tornado.routing import HostMatches


class FrameAddressError(ValueError):
    """An address cannot be used for the page for outputs; the text says why."""


def frame_address(frame_url: str, public_url: str) -> tuple[str, str]:
    """The name of the host of the page for outputs, and the origin of the pages that show it.

    Raises FrameAddressError if browsers could not use the two, or if the fleet had no other name.
    """
    frame, page = _address(frame_url), _address(public_url)
    if frame is None or frame.path.rstrip("/"):
        raise FrameAddressError(
            f"JupyterFleet.frame_url {frame_url!r} is no address of a host: give it as "
            "https://HOST, with a port if it has one and without a path"
        )
    if page is None:
        raise FrameAddressError(
            "JupyterFleet.frame_url needs FleetIdentityProvider.public_url, the fleet's address in "
            "browsers: only pages from there may show the frames"
        )
    if frame.hostname == page.hostname:
        raise FrameAddressError(
            f"JupyterFleet.frame_url names the fleet's own host {page.hostname}, where nothing but "
            "frames would be found then: give it another host name that leads to the fleet"
        )
    if frame.scheme != page.scheme:
        raise FrameAddressError(
            f"JupyterFleet.frame_url begins with {frame.scheme}, "
            f"FleetIdentityProvider.public_url with {page.scheme}: browsers show no page without "
            "TLS in one with it, so give both the same"
        )
    return frame.hostname or "", f"{page.scheme}://{page.netloc}"


def _address(url: str) -> SplitResult | None:
    """The parts of an address; None if it names no host for browsers."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    return parts if parts.scheme in ("http", "https") and parts.hostname else None


def serve_only(application: web.Application, host: str, handlers: list[Any]) -> None:
    """Have `handlers`, whose paths have the base URL, answer for a host, and no others."""
    # A name with a dot at its end is the same host.
    name = HostMatches(re.escape(host) + r"\.?")
    router = application.default_router
    router.add_rules([(name, [*handlers, (r".*", NotFoundHandler)])])
    # Before all others, those of extensions as well.
    router.rules.insert(0, router.rules.pop())


class NotFoundHandler(web.RequestHandler):
    """Answers 404, without asking who calls and without a cookie."""

    def check_xsrf_cookie(self) -> None:
        """Nothing is done here that could be forged."""

    def prepare(self) -> None:
        """Whatever the method."""
        raise web.HTTPError(404)

    def write_error(self, status_code: int, **_: Any) -> None:
        """In few words."""
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("Here are only frames for outputs.\n")
