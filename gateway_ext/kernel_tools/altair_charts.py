"""Altair's charts as data that the page draws, without the web.

An IPython extension. Altair's own default is HTML, whose scripts load the libraries that draw it.
"""

from __future__ import annotations

from typing import Any

_DEFAULT = "default"
_AS_DATA = "mimetype"
_WORDS = (
    "<Altair chart: drawn in a notebook that you ran or trust "
    '("Trust Notebook" in the command palette)>'
)
"""Where the page does not draw the data. Altair's own words blame how renderers are set up."""


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython. Imports nothing: most kernels draw no such chart."""
    formatter = shell.display_formatter.mimebundle_formatter
    formatter.for_type_by_name("altair.vegalite.v5.api", "TopLevelMixin", chart_bundle)


def chart_bundle(chart: Any) -> Any:
    """The MIME bundle of a chart, of the renderer that people have enabled, if they have."""
    import altair

    renderers = altair.renderers
    if renderers.active != _DEFAULT:
        return chart._repr_mimebundle_(None, None)
    with renderers.enable(_AS_DATA, **renderers.options):
        bundle = chart._repr_mimebundle_(None, None)
    data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
    if not data:
        # It has printed what is wrong with the chart.
        return bundle
    return {**data, "text/plain": _WORDS}, metadata
