"""The example in the documentation runs as it stands, and shows the same after nbconvert."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "xgb_ray_example.ipynb"


@pytest.fixture(autouse=True)
def _nothing_stays() -> None:
    """Instead of the one for this process: the cluster is in the kernel."""


def test_the_example() -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    client = NotebookClient(
        notebook, timeout=150, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert "XGBoost on Ray" in html
    # The live display is there once, in its last state, with its plot.
    assert html.count("finished: round") == 1
    assert 'aria-label="auc by round"' in html
    assert 'aria-label="calibration curve"' in html
