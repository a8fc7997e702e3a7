"""Which column of the data plays which part, checked against a schema before anything is read."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from gateway_ext.xgb_ray.data.vectors import is_vector_type
from gateway_ext.xgb_ray.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Columns:
    """The parts that columns play.

    Attributes:
        label: one column, or several for a model with several targets; empty for prediction.
        weight, qid: one column each, or None. `qid` marks the group of a ranking; rows of a
            group must follow each other.
        base_margin: columns with the margin to start from (one, or one a class).
        features: the feature columns in order; None means every column without another part.
        categorical: those of the features that are categories (strings are never guessed at).
        missing: a value that counts as missing beside null and NaN. With 0.0, a gap in a sparse
            vector and a zero are both missing, which is the rule of `xgboost.spark`.
        densify: a gap in a sparse vector is the value 0, which is Spark's own meaning.
        vector: the Spark vector column that holds all features, set by `resolve`.
    """

    label: tuple[str, ...] = ()
    weight: str | None = None
    qid: str | None = None
    base_margin: tuple[str, ...] = ()
    features: tuple[str, ...] | None = None
    categorical: tuple[str, ...] = ()
    missing: float = math.nan
    densify: bool = False
    vector: str | None = None

    @property
    def others(self) -> tuple[str, ...]:
        """The columns that are no features."""
        single = tuple(c for c in (self.weight, self.qid) if c is not None)
        return (*self.label, *single, *self.base_margin)

    @property
    def needed(self) -> tuple[str, ...]:
        """Every column that has to be read, each once."""
        features = (self.vector,) if self.vector else self.features or ()
        return tuple(dict.fromkeys((*features, *self.others)))

    def resolve(self, schema: pa.Schema, where: str) -> Columns:
        """These parts with `features` or `vector` filled in from a schema.

        Raises:
            DataError: a column is missing, or has a type that cannot play its part.
        """
        for name in (*self.others, *(self.features or ()), *self.categorical):
            if name not in schema.names:
                raise DataError(_no_column(name, schema.names, where))
        chosen = self.features
        if chosen is None:
            chosen = tuple(n for n in schema.names if n not in self.others)
        if not chosen:
            raise DataError(f"{where} has no column left for the features")
        overlap = set(chosen) & set(self.others)
        if overlap:
            raise ParameterError(f"column {min(overlap)!r} cannot be both a feature and a label")
        vectors = [n for n in chosen if is_vector_type(schema.field(n).type)]
        if vectors and len(chosen) > 1:
            raise DataError(
                f"column {vectors[0]!r} is a Spark vector and cannot be mixed with others; "
                f"choose it alone, as in features=[{vectors[0]!r}], or leave it out"
            )
        for name in chosen:
            _check_feature(schema.field(name), name in self.categorical, where)
        for name in self.others:
            _check_number(schema.field(name), where)
        if vectors:
            if self.categorical:
                raise ParameterError("a Spark vector has no categorical columns")
            return replace(self, features=None, vector=vectors[0])
        if self.densify:
            raise ParameterError("densify=True is for Spark vector columns; there is none here")
        return replace(self, features=chosen, vector=None)


def parse_columns(
    label: str | Sequence[str] | None,
    *,
    weight: str | None = None,
    qid: str | None = None,
    base_margin: str | Sequence[str] | None = None,
    features: Sequence[str] | None = None,
    categorical: Sequence[str] | None = None,
    missing: float | None = None,
    densify: bool = False,
) -> Columns:
    """`Columns` from what a user wrote.

    Raises:
        ParameterError: a value is not a column name, or `missing` and `densify` contradict.
    """
    missing = math.nan if missing is None else float(missing)
    if densify and missing == 0.0:
        raise ParameterError(
            "missing=0.0 drops zeros and densify=True keeps them: give one of the two"
        )
    return Columns(
        label=_names(label, "label"),
        weight=weight,
        qid=qid,
        base_margin=_names(base_margin, "base_margin"),
        features=None if features is None else _names(features, "features"),
        categorical=_names(categorical, "categorical"),
        missing=missing,
        densify=densify,
    )


def _names(value: str | Sequence[str] | None, what: str) -> tuple[str, ...]:
    if value is None:
        return ()
    names = (value,) if isinstance(value, str) else tuple(value)
    if not all(isinstance(n, str) for n in names):
        raise ParameterError(f"{what} must be the name of a column or a list of names")
    return names


def _no_column(name: str, names: Sequence[str], where: str) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else "."
    shown = ", ".join(names[:12]) + (", …" if len(names) > 12 else "")
    return f"{where} has no column {name!r}{hint} It has: {shown}"


def _check_feature(field: pa.Field, categorical: bool, where: str) -> None:
    import pyarrow as pa

    if set(field.name) & set("[]<"):
        raise DataError(
            f"column {field.name!r} of {where} has [, ] or < in its name, which XGBoost does "
            "not accept: rename it, or leave it out of the features"
        )
    if categorical:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not (number or pa.types.is_boolean(kind) or _is_text(kind)):
            # The model carries its categories as JSON.
            raise DataError(
                f"column {field.name!r} of {where} has the type {field.type}, which cannot be "
                "categorical: convert it to text or to whole numbers"
            )
        return
    if is_vector_type(field.type):
        return
    if pa.types.is_dictionary(field.type) or _is_text(field.type):
        raise DataError(
            f"column {field.name!r} of {where} has the type {field.type}, which is not a "
            f"number: name it in categorical=[{field.name!r}], or leave it out of the features"
        )
    _check_number(field, where)


def _check_number(field: pa.Field, where: str) -> None:
    import pyarrow as pa

    t = field.type
    good = (
        pa.types.is_integer(t)
        or pa.types.is_floating(t)
        or pa.types.is_boolean(t)
        or pa.types.is_decimal(t)
    )
    if not good:
        raise DataError(
            f"column {field.name!r} of {where} has the type {t}, which is not a number: "
            "convert it, or leave it out with features=[…]"
        )


def _is_text(type_: pa.DataType) -> bool:
    import pyarrow as pa

    return (
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_string_view(type_)
    )
