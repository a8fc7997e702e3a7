"""Links on the way to what a kernel needs: they are gone where their folders are hidden."""

from __future__ import annotations

import os
import shutil

_MOST = 40
"""Links that a path may lead through, as for the system."""
_LONGEST_FIRST_LINE = 256
"""Bytes of a script, as for the system."""


def links_on_the_way(path: str) -> dict[str, str]:
    """Where the links are through which an absolute path leads, and what is in each."""
    found: dict[str, str] = {}
    at, rest = "/", path.split("/")[::-1]
    while rest and len(found) < _MOST:
        name = rest.pop()
        if name in ("", "."):
            continue
        here = os.path.dirname(at) if name == ".." else os.path.join(at, name)
        try:
            target = os.readlink(here)
        except OSError:
            at = here
            continue
        if found.get(here) == target:
            break
        found[here] = target
        at = "/" if target.startswith("/") else at
        rest += target.split("/")[::-1]
    return found


def program_paths(program: str) -> list[str]:
    """What a program needs to be seen, as far as it says itself: itself and its folder, what it
    leads to if it is a link, what interprets it if it is a script, and so on; and the environments
    of which these are."""
    found: dict[str, None] = {}
    waiting, seen = [program], set[str]()
    while waiting and len(seen) < _MOST:
        one = waiting.pop(0)
        if not os.path.isabs(one) or one in seen:
            continue
        seen.add(one)
        folder = os.path.dirname(one)
        found |= dict.fromkeys((one, folder))
        waiting.append(
            os.path.join(folder, os.readlink(one)) if os.path.islink(one) else _interpreter(one)
        )
        if environment := _environment(os.path.realpath(folder)):
            found[environment] = None
            # Its Python may be a link into another environment.
            python = os.path.join(environment, "bin", "python")
            waiting += [python] if os.path.lexists(python) else []
    return list(found)


_MARKS = {
    "bin": ("pyvenv.cfg", "conda-meta", "lib"),
    # Of pyenv, in whose own folder is what they call.
    "shims": ("libexec", "versions"),
}
"""What is beside a folder with programs, by its name, if they need the folder around it."""


def _environment(folder: str) -> str:
    """The environment whose folder of programs this is; empty if it is none, or `~/.local`, of
    which nothing else is needed."""
    around, name = os.path.split(folder)
    if os.path.basename(around) == ".local":
        return ""
    marks = _MARKS.get(name, ())
    return around if any(os.path.lexists(os.path.join(around, one)) for one in marks) else ""


def _interpreter(program: str) -> str:
    """The program that a script's first line names; empty if it is none."""
    try:
        # Opening a pipe would block.
        if not os.path.isfile(program):
            return ""
        with open(program, "rb") as script:
            start = script.read(_LONGEST_FIRST_LINE)
    except OSError:
        return ""
    if not start.startswith(b"#!"):
        return ""
    words = os.fsdecode(start[2:].partition(b"\n")[0]).split()
    if words and os.path.basename(words[0]) == "env":
        # `env -S NAME=value program`
        words = [word for word in words[1:] if not word.startswith("-") and "=" not in word]
        return shutil.which(words[0]) or "" if words else ""
    return words[0] if words else ""
