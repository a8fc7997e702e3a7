"""The formats that a lab exports notebooks to. The caller finds out what is installed."""

from __future__ import annotations

import re

_MIMETYPES = {
    "asciidoc": "text/asciidoc",
    "html": "text/html",
    "latex": "text/latex",
    "markdown": "text/markdown",
    "notebook": "application/json",
    "python": "text/x-python",
    "rst": "text/x-rst",
    "script": "",
    "slides": "text/html",
}
"""Without PDF and images: TeX and browsers read any file of the lab's host that a notebook names.
"""
_NEED_PANDOC = frozenset({"asciidoc", "latex", "rst"})

PATTERN = "|".join([*_MIMETYPES, "ipynb"])
"""A regular expression for the names of the formats in URLs. `ipynb` is nbconvert's other name of
`notebook`."""
_URL = re.compile(r"/nbconvert/([^/]+)/.*")


def export_formats(*, pandoc: bool) -> dict[str, dict[str, str]]:
    """The formats as `GET /api/nbconvert` lists them; `pandoc`: whether it is installed."""
    return {
        name: {"output_mimetype": mimetype}
        for name, mimetype in _MIMETYPES.items()
        if pandoc or name not in _NEED_PANDOC
    }


def format_of(path: str) -> str | None:
    """The format in the path of an export's URL; None for other URLs."""
    match = _URL.fullmatch(path)
    return match and match[1]


def needs_pandoc(format: str) -> bool:
    """Whether nbconvert runs pandoc to export to this format."""
    return format in _NEED_PANDOC


def why_not_export(format: str) -> str:
    """The message for a user who requests a format that is not available."""
    return (
        f'This fleet does not export notebooks as "{format}". Choose another format, such as HTML,'
        " or download the notebook and export it on your own machine with jupyter nbconvert."
    )
