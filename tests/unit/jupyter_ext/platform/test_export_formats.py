"""The formats that a lab exports notebooks to."""

import re

import pytest
from nbconvert.exporters.base import get_exporter

from jupyter_ext.platform.export_formats import PATTERN, export_formats, format_of, needs_pandoc


def test_the_formats_are_described_as_nbconvert_does() -> None:
    for name, about in export_formats(pandoc=True).items():
        assert about == {"output_mimetype": get_exporter(name).output_mimetype}, name


def test_without_pandoc_no_format_that_runs_it_is_listed() -> None:
    every = export_formats(pandoc=True)
    assert set(every) - set(export_formats(pandoc=False)) == {"asciidoc", "latex", "rst"}
    assert all(needs_pandoc(name) for name in ("asciidoc", "latex", "rst"))


def test_all_that_is_listed_may_be_asked_for() -> None:
    assert all(re.fullmatch(PATTERN, name) for name in export_formats(pandoc=True))
    assert not re.fullmatch(PATTERN, "pdf")


@pytest.mark.parametrize(
    ("path", "format"),
    [
        ("/nbconvert/pdf/demo/a.ipynb", "pdf"),
        ("/nbconvert/pdf", None),
        ("/api/contents/nbconvert/pdf/a", None),
    ],
)
def test_the_format_is_in_the_url(path: str, format: str | None) -> None:
    assert format_of(path) == format
