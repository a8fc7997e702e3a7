"""Which launch options a kernel may be started with at this gateway."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]

from gateway_ext.kernels.lifecycle.launch_kernel_manager import agent_proxy_class, proxy_stanza
from gateway_ext.kernels.prepared_processes import prepared_by
from gateway_ext.kernels.refusal import Refusal, id_taken
from gateway_ext.ownership.new_kernel import NewKernel, Secrets
from gateway_ext.ownership.records import KernelRecord
from jupyter_ext.launch_options.check import OptionRefused, check_options, check_shown
from jupyter_ext.launch_options.declaration import (
    Declaration,
    DeclarationError,
    parse_declaration,
)
from jupyter_ext.launch_options.effective import Effective, effective_options, with_defaults
from jupyter_ext.launch_options.policy import LaunchPolicy, PolicyFile, PolicyUnavailable
from jupyter_ext.launch_options.properties import Schema
from jupyter_ext.launch_options.schema_merge import merged
from jupyter_ext.launch_options.shown import shown_options

_VARIABLES: dict[str, tuple[str, ...]] = {
    "image": ("KERNEL_IMAGE", "KERNEL_EXECUTOR_IMAGE"),
    "cpus": ("KERNEL_CPUS", "KERNEL_CPUS_LIMIT"),
    "cpus_limit": ("KERNEL_CPUS", "KERNEL_CPUS_LIMIT"),
    "memory": ("KERNEL_MEMORY", "KERNEL_MEMORY_LIMIT"),
    "memory_limit": ("KERNEL_MEMORY", "KERNEL_MEMORY_LIMIT"),
    "resources": ("KERNEL_GPUS", "KERNEL_GPUS_LIMIT"),
    "queue": ("KERNEL_QUEUE",),
    "node_pool": ("KERNEL_NODE_LABEL",),
    "spark": (
        "KERNEL_DRIVER_MEMORY",
        "KERNEL_EXECUTORS",
        "KERNEL_EXECUTOR_MEMORY",
        "KERNEL_EXTRA_SPARK_OPTS",
    ),
}
"""The variables of Enterprise Gateway, and of our templates, that say what an option says."""

LEAST_LOCAL_MEMORY = 100 * 1024**2
"""Bytes that a Python kernel needs to start."""


class LaunchRules:
    """What kernelspecs declare and the operator's policy allows."""

    def __init__(self, policy_file: str, local_memory: int, log: logging.Logger) -> None:
        """`local_memory` is the limit in bytes of kernels on this machine, 0 if there is none."""
        self._policy_file = PolicyFile(policy_file, log)
        self._local_memory = local_memory
        self._log = log

    async def effective(self, project: str, kernel_name: str, spec: KernelSpec) -> Effective:
        """What a project may choose; raises Refusal (400 if the kernelspec's declaration is wrong,
        500 while no policy can be read)."""
        declaration, on_this_machine = self._declaration(kernel_name, spec)
        return await self._in_thread(
            lambda: self._effective(declaration, project, kernel_name, on_this_machine)
        )

    async def decided(self, new: NewKernel, spec: KernelSpec) -> NewKernel:
        """`new` with checked options and the defaults of those that it does not name: those that
        its user was shown, if it says which; and with who has prepared its processes. Raises
        Refusal (400), also if a default is another one by now than was shown and that one may not
        be chosen."""
        checked, defaults = await self._checked(new, spec)
        return replace(checked, prepared_by=prepared_by(checked, defaults))

    async def _checked(
        self, new: NewKernel, spec: KernelSpec
    ) -> tuple[NewKernel, Mapping[str, Any]]:
        """`new` with checked options and the defaults, and the defaults of the moment."""
        declaration, on_this_machine = self._declaration(new.kernel_name, spec)
        project, name = new.project, new.kernel_name
        try:
            policy = await self._in_thread(lambda: self._policy().of(project, name))
        except Refusal:
            # What it would refuse is not known.
            if new.launch_options or new.shown_defaults or _options_by_variables(new.environment):
                raise
            return new, {}
        if policy:
            _refuse_variables(new.environment)
        if not (declaration.properties or new.launch_options or new.shown_defaults):
            return new, {}
        effective = await self._in_thread(
            lambda: self._effective(declaration, project, name, on_this_machine)
        )
        set_before = {**(spec.env or {}), **new.environment}

        def unset(defaults: Mapping[str, Any]) -> dict[str, Any]:
            return {
                option: default
                for option, default in defaults.items()
                if option in policy or set_before.keys().isdisjoint(_VARIABLES.get(option, ()))
            }

        defaults = unset(effective.defaults)
        try:
            if new.shown_defaults is None:
                options = with_defaults(new.launch_options, defaults)
            else:
                options = with_defaults(new.launch_options, unset(new.shown_defaults))
                check_shown(options, defaults)
            check_options(effective.schema, options, kernelspec=name, project=project)
        except OptionRefused as refused:
            raise as_refusal(refused) from refused
        checked = replace(new, launch_options=options, shown_options=shown_options(options))
        return checked, effective.defaults

    async def decided_for_pool(self, new: NewKernel, spec: KernelSpec) -> NewKernel:
        """The same, but never without the policy's defaults: while no policy can be read, raises
        Refusal (500) even if `new` names no option."""
        await self.effective(new.project, new.kernel_name, spec)
        return await self.decided(new, spec)

    async def again(
        self, record: KernelRecord, stored: Secrets, spec: KernelSpec
    ) -> Mapping[str, Any]:
        """The options with which a kernel that has ended is launched again; raises Refusal (400) if
        its project may not choose them any more."""
        present = NewKernel(
            kernel_id=record.kernel_id,
            project=record.project,
            path=record.path,
            username=record.username,
            kernel_name=record.kernel_name,
            environment=stored.environment,
            launch_options=stored.launch_options,
            personal=record.personal,
        )
        return (await self.decided(present, spec)).launch_options

    def _declaration(self, kernel_name: str, spec: KernelSpec) -> tuple[Declaration, bool]:
        """The kernelspec's options, and whether its kernels run on this machine."""
        proxy_class = agent_proxy_class(proxy_stanza(spec)[0])
        fleet = spec.metadata.get("fleet") or {}
        declared = fleet.get("launch_options") if isinstance(fleet, Mapping) else None
        try:
            return parse_declaration(declared, proxy_class.OPTIONS), proxy_class.ON_THIS_MACHINE
        except DeclarationError as error:
            self._log.error("the kernelspec %s cannot be used: %s", kernel_name, error)
            raise Refusal(400, f"the kernelspec {kernel_name!r} is wrong: {error}") from error

    def _effective(
        self, declaration: Declaration, project: str, kernel_name: str, on_this_machine: bool
    ) -> Effective:
        policy = self._policy().of(project, kernel_name)
        if on_this_machine:
            policy["memory"] = self._of_local_memory(policy.get("memory"))
        return effective_options(declaration, policy)

    def _of_local_memory(self, allowed: Schema | None) -> Schema:
        """Nobody chooses more than what every kernel may use, unless the policy says how much."""
        bounds: dict[str, Any] = {"minimum": LEAST_LOCAL_MEMORY}
        if allowed is None and self._local_memory:
            bounds["maximum"] = self._local_memory
        return merged(bounds, True if allowed is None else allowed)

    def _policy(self) -> LaunchPolicy:
        try:
            return self._policy_file.current()
        except PolicyUnavailable as error:
            raise Refusal(
                500,
                "the operator's launch policy cannot be read (the gateway's log says why): until "
                "it can, kernels can be started without launch options only",
            ) from error

    @staticmethod
    async def _in_thread(work: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(None, work)


def refuse_another_start(asked: NewKernel, record: KernelRecord) -> None:
    """Raises Refusal (409) unless a kernel that exists can be what somebody asks for under its id:
    in another project, of other people, or with other launch options, it is another one."""
    if record.project != asked.project:
        raise id_taken(record.kernel_id, f"it is of the project {record.project!r}")
    if record.only_for != (asked.username if asked.personal else None):
        raise id_taken(record.kernel_id, "it is for other people")
    present = record.launch_options or {}
    for name, value in shown_options(asked.launch_options).items():
        there = present.get(name)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            there = {member: there[member] for member in value if member in there}
        if value != there:
            raise Refusal(
                409,
                f"kernel {record.kernel_id} exists with another launch option {name!r}: choose "
                "another id",
            )


def as_refusal(refused: OptionRefused) -> Refusal:
    """The answer to a start with an option that may not be chosen."""
    more = {} if refused.allowed is None else {"allowed": refused.allowed}
    return Refusal(400, str(refused), option=refused.option, **more)


def _refuse_variables(environment: Mapping[str, str]) -> None:
    """Raises Refusal (400) for variables by which a client would get around a policy."""
    for name, option in _options_by_variables(environment).items():
        raise Refusal(
            400,
            "the operator's launch policy says what may be chosen here, so "
            f"{name} may not be set: use launch_options.{option}",
            option=option,
        )


def _options_by_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables in `environment` that say what an option says, each with that option."""
    return {
        name: option
        for option, variables in _VARIABLES.items()
        for name in variables
        if name in environment
    }
