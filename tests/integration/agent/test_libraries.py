"""The kernel environment shows figures and tables with what its own lock installs."""

import importlib.util
import json
import re
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

_LOCKS = Path(__file__).parents[3] / "deploy/requirements"

# Tests install more than kernels have. What only they install cannot be imported here.
_WITHOUT = """
import json, sys
from importlib.metadata import packages_distributions

hidden = set(json.loads(sys.argv[1]))

class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in modules:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

def distribution(name):
    return name.lower().replace("_", "-").replace(".", "-")

modules = {
    module for module, names in packages_distributions().items()
    if {distribution(name) for name in names} <= hidden
}
sys.meta_path.insert(0, Hide())
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
"""

_SHOW = """
from IPython.display import display
from IPython.utils.capture import capture_output
with capture_output(stderr=False) as shown:
    display(value)
assert "Traceback" not in shown.stdout, shown.stdout
print(json.dumps([kind for output in shown.outputs for kind in output.data]))
"""

_CASES = {
    "plotly": (
        "import plotly.io, plotly.express as px\n"
        "plotly.io.renderers.default = 'plotly_mimetype'\n"
        "value = px.bar(y=[1, 3])",
        "application/vnd.plotly",
    ),
    "matplotlib": (
        "from IPython.core.pylabtools import select_figure_formats\n"
        "select_figure_formats(shell, {'png'})\n"
        "import matplotlib.pyplot as plt; value = plt.figure(); value.gca().plot([1])",
        "image/png",
    ),
    "ipywidgets": ("import ipywidgets; value = ipywidgets.IntSlider()", "application/vnd.jupyter"),
    "anywidget": (
        "import anywidget\n"
        "class Mine(anywidget.AnyWidget): _esm = 'export default {}'\n"
        "value = Mine()",
        "application/vnd.jupyter",
    ),
    "tqdm": ("from tqdm.notebook import tqdm; value = tqdm([1]).container", "application/vnd.jup"),
    "polars": ("import polars; value = polars.DataFrame({'n': [1]})", "text/html"),
    "pandas": ("import duckdb; value = duckdb.sql('select 1 as n').df()", "text/html"),
    "pandas's styles": (
        "import pandas; value = pandas.DataFrame({'n': [1]}).style.background_gradient()",
        "text/html",
    ),
    "scikit-learn": (
        "from sklearn.linear_model import LinearRegression; value = LinearRegression()",
        "text/html",
    ),
}


def _names(lock: str) -> set[str]:
    return set(re.findall(r"^([a-z0-9.-]+)==", (_LOCKS / lock).read_text(), re.MULTILINE))


def test_what_cells_import_most_is_compiled_before_anybody_imports_it() -> None:
    """Kernels of other users cannot keep what they compile."""
    installed = Path(sysconfig.get_path("purelib"))
    for module in ("plotly/express/_imshow.py", "sklearn/ensemble/_stacking.py"):
        source = installed / module
        assert source.is_file()
        assert Path(importlib.util.cache_from_source(str(source))).is_file(), source


@pytest.mark.parametrize("library", _CASES)
def test_libraries_show_their_objects_in_a_kernel_without_the_packages_of_tests(
    library: str,
) -> None:
    code, mimetype = _CASES[library]
    hidden = json.dumps(sorted(_names("kernel-dev.txt") - _names("kernel.txt")))
    done = subprocess.run(
        [sys.executable, "-c", f"{_WITHOUT}\n{code}\n{_SHOW}", hidden],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown = json.loads(done.stdout.splitlines()[-1])
    assert any(kind.startswith(mimetype) for kind in shown), shown
