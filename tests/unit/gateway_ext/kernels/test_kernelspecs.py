"""Which kernelspec a name from elsewhere means."""

import json
from pathlib import Path

import pytest
from jupyter_client.kernelspec import NoSuchKernel

from gateway_ext.kernels.kernelspecs import (
    FleetKernelSpecManager,
    meant_kernelspec,
    python_kernelspec,
)

FLEET = {"python": "python", "python_kubernetes": "Python", "ir": "R"}


@pytest.mark.parametrize(
    "asked", ["python3", "python3.12", "Python", "python2", "conda-env-work-py", "conda-base-py"]
)
def test_usual_names_of_python_are_our_python(asked: str) -> None:
    assert python_kernelspec(asked, FLEET, "python") == "python"


@pytest.mark.parametrize("asked", ["ir4", "julia-1.10", "python_yarn", "spark-python", ""])
def test_other_names_mean_nothing(asked: str) -> None:
    assert python_kernelspec(asked, FLEET, "python") is None


def test_of_several_the_default_counts_then_the_usual_name_then_none() -> None:
    assert python_kernelspec("python3", {"py311": "python", "py312": "python"}, "py312") == "py312"
    assert python_kernelspec("python3", FLEET, "ir") == "python"
    assert python_kernelspec("python3", {"a": "python", "b": "python"}, "ir") is None
    assert python_kernelspec("python3", {"a": "python", "ir": "R"}, "ir") == "a"


def test_python3_is_never_the_gateways_own_python(tmp_path: Path) -> None:
    (tmp_path / "python").mkdir()
    spec = {"argv": ["python"], "display_name": "P", "language": "python"}
    (tmp_path / "python" / "kernel.json").write_text(json.dumps(spec))
    manager = FleetKernelSpecManager(kernel_dirs=[str(tmp_path)], ensure_native_kernel=False)
    assert meant_kernelspec(manager, "python3", "python") == "python"
    assert meant_kernelspec(manager, "PYTHON", "python") == "python"
    assert meant_kernelspec(manager, "nothing", "python") == "nothing"
    with pytest.raises(NoSuchKernel):
        manager.get_kernel_spec("python3")
