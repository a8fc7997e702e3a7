"""What the pages of a lab may load and where they may send, whatever gets into them."""

from __future__ import annotations

import base64
import hashlib
import re

from jupyter_ext.auth.request_origin import DEFAULT_PORTS, Origin

# Names and IPv4 addresses: a policy has no way to write an IPv6 one, and what a client has sent as
# its host must not end a directive.
_HOST = re.compile(r"[a-z0-9]([a-z0-9._-]*[a-z0-9])?\.?", re.ASCII)
_SOCKETS = {"http": "ws", "https": "wss"}
_ANYWHERE = ("'self'", "'unsafe-inline'", "'unsafe-eval'", "data:", "blob:", "https:")
_INLINE_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def page_policy(
    report_uri: str,
    origin: Origin | None = None,
    scripts: tuple[str, ...] | None = None,
    *,
    frames: str = "",
) -> str:
    """The Content-Security-Policy of JupyterLab's pages; violations are sent to `report_uri`.

    Nothing is loaded from or sent to other ports of the fleet's own host, since browsers send its
    cookies to all of them, and anybody's kernel may listen there.

    `origin`: where the browser reaches the fleet; None if that is not known. For Safari before 15.4
    `'self'` does not mean the websockets of the same host.
    `scripts`: sources of scripts, see `script_sources`; None allows all of this port and of HTTPS.
    Plots and widgets that a user has made are scripts in the page.
    `frames`: the address of another host for frames of outputs, if they have one.
    """
    host = _host_source(origin)
    socket = f" {_SOCKETS[origin[0]]}://{host}" if origin and host else ""
    return "; ".join(
        [
            "base-uri 'none'",
            f"connect-src 'self'{socket} data: blob: https:",
            # What no other line names, such as what is loaded ahead.
            "default-src 'self' data: blob: https:",
            "font-src 'self' data: blob: https:",
            "form-action 'self'",
            "frame-ancestors 'self'",
            # A file of others that is shown in a frame has this policy as well.
            f"frame-src 'self' data: blob: https:{f' {frames}' if frames else ''}",
            "img-src 'self' data: blob: https:",
            "manifest-src 'self'",
            # Sanitized HTML of others may have <audio> and <video>.
            "media-src 'self' data: blob: https:",
            # JupyterLab shows PDF files so.
            "object-src blob:",
            f"script-src {' '.join(scripts or _ANYWHERE)}",
            "style-src 'self' 'unsafe-inline' data: blob: https:",
            "worker-src 'self' blob:",
            f"report-uri {report_uri}",
        ]
    )


def script_sources(origin: Origin | None, folders: list[str], inline: str) -> tuple[str, ...]:
    """Where pages may take scripts from that draw no output themselves: installed files only.

    `folders`: paths of those, with a slash at their ends. `'self'` would include `/files`, which
    has what users write; it is used if the page's host cannot be named.
    `inline`: the template of the page. The scripts in it are named by their hashes.
    JupyterLab compiles the schemas of its settings (`'unsafe-eval'`).
    """
    host = _host_source(origin)
    installed = [f"{origin[0]}://{host}{folder}" for folder in folders] if origin and host else []
    return (*(installed or ["'self'"]), "'unsafe-eval'", *_hashes(inline))


def _hashes(template: str) -> list[str]:
    """The sources that stand for the inline scripts of a page."""
    digests = [hashlib.sha256(text.encode()).digest() for text in _INLINE_SCRIPT.findall(template)]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _host_source(origin: Origin | None) -> str:
    """`HOST[:PORT]`; empty if a policy cannot name it."""
    if origin is None:
        return ""
    scheme, host, port = origin
    if not _HOST.fullmatch(host):
        return ""
    return host if port == DEFAULT_PORTS[scheme] else f"{host}:{port}"
