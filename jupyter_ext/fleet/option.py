"""Options of `up`: how they are declared, and their values as people type and read them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_ext.fleet.failure import FleetError
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


def yes_or_no(text: str) -> bool:
    """The kind of an option that is on or off."""
    if text not in ("yes", "no"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither yes nor no")
    return text == "yes"


def option(default: Any, metavar: str, help: str, **rest: Any) -> Any:
    """A field of `Settings` that `up` has an option for: ``--NAME``, with hyphens."""
    return field(default=default, metadata={"option": Option(metavar, help, **rest)})


def checked(flag: str, one: Option, value: Any) -> Any:
    """The value of the option `flag` as it is kept; raises `FleetError` for one that is not
    valid."""
    if one.unset is not None and value == one.unset:
        return None
    if one.zero is not None and value == 0:
        return value
    if (one.least is not None and not value >= one.least) or (
        one.most is not None and not value <= one.most
    ):
        raise FleetError(f"{flag} {typed(one, value)} is out of range: use {bounds(one)}")
    if one.kind is str and not value.strip():
        raise FleetError(f"{flag} is empty: give it a value, or leave it out")
    if one.path:
        return os.path.abspath(Path(value).expanduser())
    return value


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
