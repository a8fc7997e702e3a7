"""Checks of XGBoost's parameters before anything is started."""

from __future__ import annotations

import difflib
import json
import re
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from gateway_ext.xgb_ray.errors import ParameterError, first_lines

_OURS = {
    "nthread": "cpus_per_worker",
    "n_jobs": "cpus_per_worker",
    "n_estimators": "num_boost_round",
    "num_round": "num_boost_round",
    "early_stopping_rounds": "early_stopping_rounds",
    "missing": "missing",
}

_CONSTRAINTS = ("monotone_constraints", "interaction_constraints")


def check_params(params: Mapping[str, Any], *, custom_objective: bool = False) -> dict[str, Any]:
    """The parameters, complete and known to XGBoost.

    XGBoost itself only warns about a name that it does not know; here that is an error.

    Raises:
        ParameterError: a name is unknown, a value cannot be used, or it has an argument of its
            own in `train`.
    """
    import xgboost as xgb

    if not isinstance(params, Mapping):
        raise ParameterError("params must be a mapping of parameter names to values")
    params = {str(k): v for k, v in params.items()}
    for name, ours in _OURS.items():
        if name in params:
            raise ParameterError(f"{name!r} is not given in params but as {ours}=…")
    if params.get("booster", "gbtree") not in ("gbtree", "dart"):
        raise ParameterError("booster must be gbtree or dart: gblinear does not train on bins")
    if params.get("tree_method", "hist") not in ("hist", "auto"):
        raise ParameterError(
            f"tree_method must be hist (it is {params['tree_method']!r}): "
            "the others do not train on bins across workers"
        )
    params["tree_method"] = "hist"
    # Constraints may name features, which only the data knows.
    named = {k for k in _CONSTRAINTS if isinstance(params.get(k), Mapping | list | tuple)}
    trial = {k: v for k, v in params.items() if v is not None and k not in named}
    trial["validate_parameters"] = True
    trial.setdefault("verbosity", 1)
    if trial.get("verbosity") == 0:
        trial["verbosity"] = 1
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            few = xgb.DMatrix(np.zeros((2, 2), dtype=np.float32), nthread=1)
            booster = xgb.Booster({**trial, "nthread": 1}, [few])
            config = booster.save_config()
        except (xgb.core.XGBoostError, ValueError, TypeError) as error:
            raise ParameterError(
                f"a parameter cannot be used: {first_lines(str(error))}"
            ) from error
    for warning in caught:
        unused = re.search(r"Parameters: \{(.*?)\} are not used", str(warning.message))
        if unused:
            names = [n.strip().strip('"') for n in unused.group(1).split(",")]
            near = difflib.get_close_matches(names[0], _names_in(json.loads(config)), 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise ParameterError(f"XGBoost has no parameter of this name: {', '.join(names)}{hint}")
    if custom_objective and "objective" in params:
        raise ParameterError("give either params['objective'] or a function as obj=, not both")
    return {k: v for k, v in params.items() if v is not None}


def _names_in(config: Any) -> list[str]:
    """Names of parameters in XGBoost's configuration, which holds them in sections."""
    if not isinstance(config, dict):
        return []
    return [name for k, v in config.items() for name in (k, *_names_in(v))]


def max_bin_of(params: Mapping[str, Any]) -> int:
    """The bins a feature that the parameters ask for (XGBoost's default is 256).

    Raises:
        ParameterError: fewer than two.
    """
    bins = int(params.get("max_bin", 256))
    if bins < 2:
        raise ParameterError(f"max_bin must be at least 2, not {bins}")
    return bins
