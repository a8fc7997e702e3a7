"""The operator's policy: what of the options of kernelspecs each project may use."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_ext.launch_options.declaration import parse_fragment
from jupyter_ext.launch_options.properties import PROPERTIES, Schema
from jupyter_ext.platform.projects import check_project_name
from jupyter_ext.platform.reloaded_file import ReloadedFile

EVERY = "*"
_LONGEST = 1024 * 1024


class PolicyUnavailable(Exception):
    """No policy could be read so far, though there is a file for it; the text says why."""


@dataclass(frozen=True)
class LaunchPolicy:
    """By project, kernelspec (in lower case, as Jupyter lists them) and option: what is accepted.
    `*` stands for every project, and for every kernelspec."""

    projects: Mapping[str, Mapping[str, Mapping[str, Schema]]]

    def of(self, project: str, kernelspec: str) -> dict[str, Schema]:
        """What narrows each option. Of several entries for an option the most specific one counts:
        that of the project before that of `*`, then that of the kernelspec before that of `*`."""
        found: dict[str, Schema] = {}
        for project_key in (EVERY, project):
            for kernelspec_key in (EVERY, kernelspec):
                found |= self.projects.get(project_key, {}).get(kernelspec_key, {})
        return found


NO_POLICY = LaunchPolicy({})


def parse_policy(content: bytes) -> LaunchPolicy:
    """Raises ValueError, with the place."""
    if len(content) > _LONGEST:
        raise ValueError(f"it has more than {_LONGEST} bytes")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"it is not JSON: {error}") from error
    projects = _one_member(document, "projects", "the policy")
    found: dict[str, dict[str, dict[str, Schema]]] = {}
    for project, entry in projects.items():
        where = f"projects[{project!r}]"
        if project != EVERY:
            check_project_name(project)
        of_kernelspecs = found[project] = {}
        for name, options in _one_member(entry, "kernelspecs", where).items():
            if name.lower() in of_kernelspecs:
                raise ValueError(
                    f"{where}.kernelspecs has {name.lower()!r} twice: upper and lower case are the "
                    "same"
                )
            of_kernelspecs[name.lower()] = _options(options, f"{where}.kernelspecs[{name!r}]")
    return LaunchPolicy(found)


def _one_member(value: Any, name: str, where: str) -> dict[str, Any]:
    if not isinstance(value, dict) or value.keys() - {name}:
        raise ValueError(f'{where} must be an object with nothing but "{name}"')
    member = value.get(name, {})
    if not isinstance(member, dict):
        raise ValueError(f"{name} of {where} must be an object")
    return member


def _options(value: Any, where: str) -> dict[str, Schema]:
    if not isinstance(value, dict):
        raise ValueError(f"{where} must be an object: option to JSON Schema, or false")
    found = {}
    for name, fragment in value.items():
        if name not in PROPERTIES:
            raise ValueError(
                f"{where}: there is no option {name!r}: the options are {', '.join(PROPERTIES)}"
            )
        try:
            found[name] = parse_fragment(name, fragment)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{where}.{name}: {error}") from error
    return found


class PolicyFile:
    """The policy in a file, which may change; a bad one is logged and the last good one stays."""

    def __init__(self, path: str, log: logging.Logger) -> None:
        """`path` is empty if there is no policy. Reads the file."""
        self._path = path
        self._log = log
        self._file: ReloadedFile[LaunchPolicy] | None = None
        self._told = ""
        # It is logged then, and the next call tries again.
        with contextlib.suppress(PolicyUnavailable):
            self.current()

    def current(self) -> LaunchPolicy:
        """The newest good policy. Reads the file when it has changed; raises PolicyUnavailable."""
        if not self._path:
            return NO_POLICY
        if self._file is None:
            try:
                self._file = ReloadedFile(Path(self._path), parse_policy)
            except (OSError, ValueError) as error:
                words = f"the launch policy {self._path} cannot be read: {error}"
                if words != self._told:
                    self._told = words
                    self._log.error(
                        "%s: until it can, kernels are started without launch options only", words
                    )
                raise PolicyUnavailable(words) from error
        return self._file.current()
