"""Options of `up`: how they are declared, and their values as people type and read them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from jupyter_ext.fleet.quantities import duration, duration_text, size, size_text


@dataclass(frozen=True)
class Option:
    """The option of `up` for one setting, and its valid values."""

    metavar: str
    help: str
    kind: Callable[[str], Any] = str
    least: int | None = None
    zero: str | None = None
    """What 0 means, if it is valid although it is less than `least`."""
    most: int | None = None
    unset: str | None = None
    """What sets the value back to None, which means the default: a word, or an empty value."""
    path: bool = False
    """Whether the value is a file or folder, which is saved as an absolute path."""
    needs_down: str | None = None
    """Why a running fleet cannot change it; None if replacing processes one by one is enough."""
    alone: Any = None
    """The value that the option means where none is given with it; None if it needs one."""
    variable: str | None = None
    """The environment variable that is used if the option is not given."""


def option(default: Any, metavar: str, help: str, **rest: Any) -> Any:
    """A field of `Settings` that `up` has an option for: ``--NAME``, with hyphens."""
    return field(default=default, metadata={"option": Option(metavar, help, **rest)})


def bounds(one: Option) -> str:
    """The valid values of an option that has a minimum, in words."""
    least, most = typed(one, one.least), typed(one, one.most)
    words = f"{least} or more" if one.most is None else f"{least} to {most}"
    return words if one.zero is None else f"{words}, or 0 ({one.zero})"


def typed(one: Option, value: object) -> str:
    """A value as somebody would type it: in the units of sizes and times."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and value > 0:
        if one.kind is size:
            return size_text(value)
        if one.kind is duration:
            return duration_text(value)
    return str(value)


def shown(one: Option, value: object) -> str:
    """A setting for people to read."""
    if value is None:
        return one.unset or "none"
    if isinstance(value, str):
        return shown_url(value)
    return one.zero if one.zero is not None and value == 0 else typed(one, value)


def shown_url(value: str) -> str:
    """A text for people to read: in a URL, whatever may be a password is hidden."""
    parts = urlsplit(value)
    if parts.password is None:
        return value
    host = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=f"{parts.username}:***@{host}").geturl()
