"""What kernels say of a chart, for the page to draw."""

from typing import Any

import altair
import pytest
from IPython.core.interactiveshell import InteractiveShell

from gateway_ext.kernel_tools.altair_charts import load_ipython_extension

DRAWN_BY_JUPYTERLAB = "application/vnd.vegalite.v5+json"


@pytest.fixture
def shown() -> Any:
    shell = InteractiveShell()
    load_ipython_extension(shell)
    chart = altair.Chart(altair.Data(values=[{"a": 1}])).mark_bar().encode(x="a:Q")
    yield lambda: shell.display_formatter.format(chart)
    altair.renderers.enable("default")


def test_a_chart_is_data_that_the_page_draws_without_the_web(shown: Any) -> None:
    altair.renderers.set_embed_options(actions=False)
    data, metadata = shown()
    assert data[DRAWN_BY_JUPYTERLAB]["mark"] == {"type": "bar"}
    assert "text/html" not in data
    # What another person reads, in whose page it is not drawn.
    assert "Trust Notebook" in data["text/plain"]
    assert metadata[DRAWN_BY_JUPYTERLAB] == {"embed_options": {"actions": False}}
    assert altair.renderers.active == "default"


def test_a_renderer_that_somebody_has_enabled_is_used(shown: Any) -> None:
    altair.renderers.enable("html")
    data, _ = shown()
    assert "text/html" in data
    assert DRAWN_BY_JUPYTERLAB not in data
