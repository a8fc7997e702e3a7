"""Tables of options: frozen dataclasses whose fields have help, and a flag on a line if they can be
given there.

A function that takes the options of a table as `**options` shows each in its signature and help.
"""

from __future__ import annotations

import argparse
import inspect
import textwrap
from collections.abc import Callable, Collection, Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any, TypeVar

from gateway_ext.xgb_ray.errors import ParameterError

T = TypeVar("T")
Table = TypeVar("Table")
Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Flag:
    """How an option is given on a line, for argparse; `repeated` collects a list."""

    names: tuple[str, ...]
    metavar: str | None = None
    kind: Callable[[str], Any] = str
    choices: tuple[str, ...] | None = None
    repeated: bool = False


def flag(*names: str, **rest: Any) -> Flag:
    """A `Flag` of these names."""
    return Flag(names, **rest)


def option(default: T, help: str, flag: Flag | None = None) -> T:
    """A field of a table."""
    found: T = field(default=default, metadata={"help": help, "flag": flag})
    return found


def add_flags(
    parser: argparse.ArgumentParser,
    table: type[Any],
    *,
    only: Collection[str] | None = None,
    defaults: Mapping[str, Any] | None = None,
) -> None:
    """Add the flags of a table's options, or of some of them; each argument is named after its
    option. `defaults` are other ones than the table's."""
    for one in fields(table):
        given: Flag | None = one.metadata["flag"]
        if given is None or (only is not None and one.name not in only):
            continue
        default = (defaults or {}).get(one.name, one.default)
        if isinstance(default, bool):
            how: dict[str, Any] = {
                "action": argparse.BooleanOptionalAction if default else "store_true"
            }
        else:
            how = {"type": given.kind, "metavar": given.metavar, "choices": given.choices}
            if given.repeated:
                how["action"] = "append"
        words = one.metadata["help"] + ("" if default in (None, False, True) else f" ({default})")
        parser.add_argument(
            *given.names,
            dest=one.name,
            default=default,
            # argparse takes it for a format.
            help=words.replace("%", "%%"),
            **how,
        )


def of_line(table: type[Any], arguments: argparse.Namespace) -> dict[str, Any]:
    """The options of a table that a line gives."""
    names = {one.name for one in fields(table)}
    return {name: value for name, value in vars(arguments).items() if name in names}


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
