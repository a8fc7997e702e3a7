"""What whoever starts a kernel through a lab may choose: launch options, and a few variables."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tornado import web

from jupyter_ext.kernels.gateway_client import FleetGatewayClient
from jupyter_ext.launch_options.check import (
    OptionRefused,
    check_options,
    parse_options,
    parse_shown,
)
from jupyter_ext.launch_options.effective import with_defaults
from jupyter_ext.wire.routes import LAUNCH_OPTIONS_ROUTE, path_of

_MOST_KEPT = 1000

FROM_STOCK_SERVERS = frozenset({"KERNEL_LAUNCH_TIMEOUT", "KERNEL_USERNAME", "KERNEL_WORKING_DIR"})
"""Variables that jupyter_server, and tools that use its client of gateways, send with every start.
They choose nothing: gateways take the user from the token."""


@dataclass(frozen=True)
class Choice:
    """What a request for a kernel chooses. `shown` are the defaults that its user was shown, None
    if it does not say."""

    options: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Any] | None = None
    only_for_me: bool = False
    """Whether the caller wants a kernel that nobody else uses."""

    def __bool__(self) -> bool:
        return bool(
            self.only_for_me
            or self.options
            or self.shown
            or self.environment.keys() - FROM_STOCK_SERVERS
        )

    @property
    def wanted(self) -> dict[str, Any]:
        """The options that the kernel is to have, as far as they are known here."""
        return with_defaults(self.options, self.shown or {})


NO_CHOICE = Choice()

ONLY_FOR_ME = "only_for_me"
"""The launch option with which somebody asks for a kernel alone. Labs of the version before refuse
it, as any option that they do not know."""

_ONLY_FOR_ME_SCHEMA = {
    "type": "boolean",
    "title": "Only for me",
    "description": "Nobody else runs code in the kernel or sees what it holds",
    "default": False,
}


def offered(rules: Mapping[str, Any]) -> dict[str, Any]:
    """What people are shown of a gateway's rules, in which ONLY_FOR_ME is one more option."""
    shown = {key: rules[key] for key in ("name", "project", "schema", "defaults")}
    if rules.get("personal"):
        properties = {**rules["schema"].get("properties", {}), ONLY_FOR_ME: _ONLY_FOR_ME_SCHEMA}
        shown["schema"] = {**rules["schema"], "properties": properties}
    return shown


def parse_choice(*bodies: Mapping[str, Any]) -> Choice:
    """What JSON objects of a request say in `launch_options` and `env`; raises HTTPError (400)."""
    options: dict[str, Any] = {}
    environment: dict[str, str] = {}
    shown: dict[str, Any] | None = None
    for body in bodies:
        try:
            options |= parse_options(body.get("launch_options"))
            shown_here = parse_shown(body.get("launch_defaults"))
        except OptionRefused as refused:
            raise web.HTTPError(400, str(refused)) from refused
        shown = shown if shown_here is None else {**(shown or {}), **shown_here}
        asked = body.get("env")
        if not isinstance(asked, dict | None):
            raise web.HTTPError(400, "env must be an object")
        environment |= asked or {}
    for name, value in environment.items():
        if not isinstance(value, str):
            raise web.HTTPError(400, f"the environment variable {name!r} must be a string")
    only_for_me = options.pop(ONLY_FOR_ME, False)
    if not isinstance(only_for_me, bool):
        raise web.HTTPError(400, f"launch_options.{ONLY_FOR_ME} must be true or false")
    return Choice(options, environment, shown, only_for_me)


class LaunchRules:
    """The gateways' rules, kept for a few seconds. They decide themselves, too."""

    def __init__(self, gateways: FleetGatewayClient, fresh_seconds: float) -> None:
        self._gateways = gateways
        self._fresh_seconds = fresh_seconds
        self._kept: dict[tuple[str, str], tuple[float, dict[str, Any]]] = {}

    async def of(self, kernel_name: str, project: str, *, fresh: bool = False) -> dict[str, Any]:
        """`{"name", "project", "schema", "defaults", "client_envs"}`, with the kernelspec's own
        name. Raises HTTPError, 404 if there is no such kernelspec. Whether the caller may see the
        project is not looked at."""
        key = (kernel_name, project)
        kept = self._kept.get(key)
        if kept is not None and not fresh and time.monotonic() - kept[0] < self._fresh_seconds:
            return kept[1]
        path = f"{path_of(LAUNCH_OPTIONS_ROUTE, name=kernel_name)}?project={project}"
        try:
            rules: dict[str, Any] = await self._gateways.call("GET", path)
        except web.HTTPError as error:
            if error.status_code == 404 and "kernelspec" not in (error.get_message() or ""):
                raise web.HTTPError(
                    503,
                    "the gateways are of an earlier version, which knows no launch options: try "
                    "again when they have been upgraded",
                ) from error
            raise
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[key] = (time.monotonic(), rules)
        return rules

    async def check(self, choice: Choice, kernel_name: str, project: str) -> str:
        """The kernelspec's own name; raises HTTPError (400) unless a project may choose that."""
        rules = await self.of(kernel_name, project)
        problem = _problem(choice, rules)
        personal = rules.get("personal") or not choice.only_for_me
        if problem is not None or not personal:
            # The operator may have allowed it just now.
            rules = await self.of(kernel_name, project, fresh=True)
            problem = _problem(choice, rules)
        if choice.only_for_me and rules.get("why_shared"):
            raise web.HTTPError(400, rules["why_shared"])
        if choice.only_for_me and not rules.get("personal"):
            raise web.HTTPError(
                503,
                "the gateways are of an earlier version, which knows no kernels for one person: "
                "try again when they have been upgraded",
            )
        if problem is not None:
            raise web.HTTPError(400, problem)
        name: str = rules["name"]
        return name


def _problem(choice: Choice, rules: Mapping[str, Any]) -> str | None:
    allowed = rules["client_envs"]
    for name in choice.environment.keys() - FROM_STOCK_SERVERS:
        if name.startswith("KERNEL_") or (name not in allowed and allowed != ["*"]):
            return (
                f"the environment variable {name} may not be set in env: choose sizes, image and "
                "variables in launch_options (variables: launch_options.environment)"
            )
    try:
        check_options(
            rules["schema"], choice.wanted, kernelspec=rules["name"], project=rules["project"]
        )
    except OptionRefused as refused:
        return str(refused)
    return None
