"""What `up` must know of the kubeconfig file that gateways will use."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from jupyter_ext.fleet.failure import FleetError

_FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
_LABEL = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?")


@dataclass(frozen=True)
class Context:
    """One context of a kubeconfig."""

    name: str
    server: str
    """The URL of the API server."""
    namespace: str | None
    """None if the context names none."""
    files: tuple[str, ...] = ()
    """What the kubeconfig refers to, relative to its folder."""
    program: str | None = None
    """The plugin that gateways run for credentials."""


def read_context(file: str, name: str | None) -> Context:
    """The context called ``name``, or else the current one, of the kubeconfig ``file``.

    Raises `FleetError` for a file that gateways could not use: one that is missing or not a
    kubeconfig, without such a context, or that refers to a file or program that is missing.
    """
    try:
        text = Path(file).read_text()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not a text file"
        raise FleetError(f"--kubeconfig {file} cannot be read: {why}") from error
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise FleetError(
            f"--kubeconfig {file} cannot be parsed: {_problem(error)}. Correct the file, or name"
            " another one (`kubectl config view --raw --minify --flatten` prints one)"
        ) from error
    context = context_of(document, file, name)
    for one in context.files:
        path = Path(file).parent / one
        if not os.access(path, os.R_OK):
            raise FleetError(
                f"--kubeconfig {file} refers to {path}, which is missing or cannot be read"
            )
    if context.program is not None and shutil.which(context.program) is None:
        raise FleetError(
            f"--kubeconfig {file} gets its credentials from the program {context.program}, which"
            " is not in PATH: install it, or write its full path into the kubeconfig"
        )
    return context


def context_of(document: object, file: str, name: str | None) -> Context:
    """The context called ``name``, or else the current one, of a kubeconfig's content; raises
    `FleetError`, which names ``file``."""
    if not isinstance(document, Mapping) or not isinstance(document.get("contexts"), list):
        raise FleetError(
            f"--kubeconfig {file} is not a kubeconfig: it has no contexts (`kubectl config view"
            " --raw --minify --flatten` prints one)"
        )
    contexts = _by_name(document, "contexts", "context")
    wanted = name or document.get("current-context")
    known = ", ".join(sorted(contexts)) or "none"
    if not wanted:
        raise FleetError(
            f"--kubeconfig {file} has no current context: choose one of its contexts ({known})"
            " with --kube-context"
        )
    if wanted not in contexts:
        what = "--kube-context" if name else "its current context"
        raise FleetError(
            f"--kubeconfig {file} has no context {wanted!r} ({what}); its contexts are: {known}"
        )
    context = contexts[wanted]
    parts: dict[str, Mapping[str, Any]] = {}
    for part in ("cluster", "user"):
        found = _by_name(document, f"{part}s", part).get(str(context.get(part)))
        if found is None:
            raise FleetError(
                f"--kubeconfig {file} has no {part} {context.get(part)!r}, which its context"
                f" {wanted!r} names"
            )
        parts[part] = found
    server = parts["cluster"].get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        raise FleetError(
            f"--kubeconfig {file} gives no URL of the API server for the context {wanted!r}"
        )
    namespace, plugin = context.get("namespace"), parts["user"].get("exec")
    return Context(
        str(wanted),
        server,
        str(namespace) if namespace else None,
        tuple(
            str(parts[part][key])
            for part, keys in _FILES.items()
            for key in keys
            if parts[part].get(key)
        ),
        str(plugin.get("command")) if isinstance(plugin, Mapping) else None,
    )


PROJECT = "{project}"
"""Stands for a project's name in a namespace's name."""


def check_namespace(namespace: str) -> None:
    """Raise `FleetError` for a text that is not the name of a namespace, with or without `PROJECT`
    in it."""
    if not _LABEL.fullmatch(namespace.replace(PROJECT, "x")):
        raise FleetError(
            f"--kube-namespace {namespace!r} is not the name of a namespace: use at most 63 lower"
            f" case letters, digits and '-', and {PROJECT} for the project's name"
        )


def _by_name(document: Mapping[str, Any], plural: str, part: str) -> dict[str, Mapping[str, Any]]:
    """The entries of one of a kubeconfig's lists; those that are no entries are left out."""
    return {
        str(one["name"]): one[part]
        for one in document.get(plural) or []
        if isinstance(one, Mapping) and "name" in one and isinstance(one.get(part), Mapping)
    }


def _problem(error: yaml.YAMLError) -> str:
    """What is wrong in a file that is not YAML, and where."""
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        # A character that YAML forbids.
        return " ".join(str(error).split()) or "it is not YAML"
    words = getattr(error, "problem", None) or "it is not YAML"
    return f"line {mark.line + 1}, column {mark.column + 1}: {words}"
