"""The example in the documentation runs as it stands, and shows the same after nbconvert and
papermill."""

from __future__ import annotations

from pathlib import Path

import nbformat
import papermill
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs" / "xgb_ray_example.ipynb"


@pytest.fixture(autouse=True)
def _nothing_stays() -> None:
    """Instead of the one for this process: the cluster is in the kernel."""


def check(notebook: nbformat.NotebookNode) -> None:
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert "XGBoost on Ray" in html
    # The live display is there once, in its last state, with its plot.
    assert html.count("finished: round") == 1
    assert 'aria-label="auc by round"' in html
    assert 'aria-label="calibration curve"' in html


def test_the_example_with_nbconvert() -> None:
    notebook = nbformat.read(EXAMPLE, as_version=4)
    # What `nbconvert --execute` does.
    client = NotebookClient(
        notebook, timeout=150, kernel_name="python3", resources={"metadata": {"path": str(ROOT)}}
    )
    client.execute()
    check(notebook)


@pytest.mark.long
def test_the_example_with_papermill(tmp_path: Path) -> None:
    out = tmp_path / "out.ipynb"
    papermill.execute_notebook(
        EXAMPLE, out, {"depth": 2}, kernel_name="python3", cwd=ROOT, progress_bar=False
    )
    notebook = nbformat.read(out, as_version=4)
    check(notebook)
    assert "depth = 2" in [c.source.splitlines()[-1] for c in notebook.cells if c.source]
