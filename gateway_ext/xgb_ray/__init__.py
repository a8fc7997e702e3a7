"""Distributed XGBoost on Ray, as a plain Python API and as the `%xgb_ray` magic.

This folder runs in the kernel's environment (extra `xgb-ray`) and imports nothing else of this
project. A room imports only what stands below it:

    notebook       the magic, its arguments and their completion
    rayjob         the same commands as a job of a Kubernetes cluster
    tuning         searches for good parameters
    training | scoring   a training on workers that may fail; predictions, metrics and calibration
    worker         what runs in a worker's process: boosting, and the collective between workers
    data | ray_cluster   columns, sources and matrices; connecting to Ray and running tasks there
    background     work in background threads
    display        how results and progress look
    option_table   options with their help, for signatures and lines
    lease          keeps a kernel with work from being culled
    errors         what a user of this package sees

Nothing heavy (ray, xgboost, pyarrow) may be imported when the package itself is: each
name below is looked up on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

_HOME = {
    "train": "training.train",
    "start_training": "training.train",
    "Run": "training.run",
    "TrainResult": "training.result",
    "predict": "scoring.prediction",
    "evaluate": "scoring.prediction",
    "calibrate": "scoring.calibration",
    "Calibration": "scoring.calibration",
    "tune": "tuning.tune",
    "XGBRayError": "errors",
    "DataError": "errors",
    "ParameterError": "errors",
    "ClusterError": "errors",
    "TrainingError": "errors",
}

__all__ = [
    "Calibration",
    "ClusterError",
    "DataError",
    "ParameterError",
    "Run",
    "TrainResult",
    "TrainingError",
    "XGBRayError",
    "calibrate",
    "evaluate",
    "load_ipython_extension",
    "predict",
    "start_training",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def load_ipython_extension(shell: InteractiveShell) -> None:
    """`%load_ext gateway_ext.xgb_ray`: registers `%xgb_ray` and `%%xgb_ray`."""
    from gateway_ext.xgb_ray.notebook.magic import register

    register(shell)
