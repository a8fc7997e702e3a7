"""Tables of options: frozen dataclasses whose fields have help.

A function that takes the options of a table as `**options` shows each in its signature and help.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import Field, field, fields
from typing import Any, TypeVar

from gateway_ext.xgb_ray.errors import ParameterError

T = TypeVar("T")
Table = TypeVar("Table")
Function = TypeVar("Function", bound=Callable[..., Any])


def option(default: T, help: str) -> T:
    """A field of a table."""
    found: T = field(default=default, metadata={"help": help})
    return found


def check_names(function: str, given: Mapping[str, Any], *tables: type[Any]) -> None:
    """Raises `ParameterError` for a keyword argument that no table has."""
    unknown = set(given) - {one.name for table in tables for one in fields(table)}
    if unknown:
        raise ParameterError(f"{function} has no option {min(unknown)!r}")


def read(table: type[Table], given: Mapping[str, Any]) -> Table:
    """The options of one table among keyword arguments."""
    names = {one.name for one in fields(table)}  # type: ignore[arg-type]
    return table(**{name: value for name, value in given.items() if name in names})


def with_options(*tables: type[Any]) -> Callable[[Function], Function]:
    """Show the options of the tables in the signature of a function, and their help in its
    docstring, at the end of "Args:"."""
    options = [one for table in tables for one in fields(table)]

    def show(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
        function.__signature__ = signature.replace(  # type: ignore[attr-defined]
            parameters=[*own, *map(_parameter, options)]
        )
        text = inspect.cleandoc(function.__doc__ or "")
        before, mark, after = text.partition("\n\nRaises:")
        function.__doc__ = "\n".join([before, *map(_help, options)]) + mark + after
        return function

    return show


def _parameter(option: Field[Any]) -> inspect.Parameter:
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(option.name, kind, default=option.default, annotation=option.type)


def _help(option: Field[Any]) -> str:
    words = f"{option.name}: {option.metadata['help']}."
    return textwrap.fill(words, 100, initial_indent=" " * 4, subsequent_indent=" " * 8)
