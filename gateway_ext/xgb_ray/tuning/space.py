"""A search space: XGBoost's parameters, some of them with a range instead of a value."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from gateway_ext.xgb_ray.errors import ParameterError

# Parameters that PBT may change between rounds; others are fixed with the first tree.
MUTABLE = frozenset(
    {
        "eta",
        "learning_rate",
        "gamma",
        "min_split_loss",
        "max_depth",
        "min_child_weight",
        "max_delta_step",
        "subsample",
        "colsample_bytree",
        "colsample_bylevel",
        "colsample_bynode",
        "lambda",
        "reg_lambda",
        "alpha",
        "reg_alpha",
    }
)
_CALL = re.compile(r"(uniform|loguniform|quniform|randint|lograndint|choice)\((.*)\)", re.DOTALL)


def read_space(params: Mapping[str, Any]) -> dict[str, Any]:
    """A search space from text: `uniform(0, 1)`, `loguniform(1e-3, 1)`, `randint(2, 10)`,
    `choice([…])`, or a list, which is a choice; other values are fixed.

    Raises:
        ParameterError: the arguments of one of these are no plain values.
    """
    from ray import tune as ray_tune

    out: dict[str, Any] = {}
    for name, value in params.items():
        match = _CALL.fullmatch(value.strip()) if isinstance(value, str) else None
        if match:
            try:
                arguments = ast.literal_eval(f"({match.group(2)},)")
                out[name] = getattr(ray_tune, match.group(1))(*arguments)
            except (ValueError, SyntaxError) as error:
                raise ParameterError(
                    f"{name}: {value} is not a search range: it takes numbers or texts only, "
                    "such as uniform(0.1, 0.5) or choice(['a', 'b'])"
                ) from error
            except TypeError as error:
                raise ParameterError(f"{name}: {value} is not a search range ({error})") from error
        elif isinstance(value, list) and name not in ("eval_metric", "monotone_constraints"):
            out[name] = ray_tune.choice(value)
        else:
            out[name] = value
    return out


def is_range(value: Any) -> bool:
    """Whether a parameter is to be searched."""
    from ray.tune.search.sample import Domain

    return isinstance(value, Domain)


def check_space(space: Mapping[str, Any], scheduler: str) -> dict[str, Any]:
    """The fixed parameters of a space.

    Raises:
        ParameterError: nothing is to be searched, or something that cannot be.
    """
    fixed = {k: v for k, v in space.items() if not is_range(v)}
    changing = set(space) - set(fixed)
    if not changing:
        raise ParameterError(
            "there is nothing to search: give at least one parameter a range, such as "
            "eta: loguniform(0.01, 0.5)"
        )
    for name in ("max_bin", "objective", "eval_metric"):
        if name in changing:
            raise ParameterError(
                f"{name} cannot be searched: all trials share their bins and are compared by "
                "one metric"
            )
    if scheduler == "pbt" and not changing <= MUTABLE:
        raise ParameterError(
            f"PBT cannot change {min(changing - MUTABLE)} between rounds; it can change "
            + ", ".join(sorted(MUTABLE))
        )
    return fixed
