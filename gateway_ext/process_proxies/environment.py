"""The environment of an agent and of its kernel."""

import string
from collections.abc import Collection, Mapping
from pathlib import PurePath

from gateway_ext.agent.start_document import READ_AT_START

_INHERITED = ("LANG", "LANGUAGE", "TZ")
_INHERITED_PREFIX = "LC_"
_DEFAULT_PATH = "/usr/local/bin:/usr/bin:/bin"


def agent_environment(
    gateway: Mapping[str, str],
    kernelspec: Mapping[str, str],
    asked: Mapping[str, str],
    *,
    inherited: Collection[str] = (),
    program: str,
    home: str,
    user: str,
) -> dict[str, str]:
    """The environment of an agent and its kernel.

    From the gateway's own environment it has only language, time zone, PATH and the variables that
    the operator names (`inherited`), because others may be secrets; `program`'s folder comes first
    in PATH, so that `python` and `pip` in a cell are the kernel's own. The kernelspec's `env`, in
    which `${NAME}` is expanded, overrides these, and the variables that were `asked` for with the
    kernel override both, as in Enterprise Gateway. Neither can change HOME and the user name.

    An agent's Python ignores the user site, because that is in HOME, which users can write to.
    """
    environment = {
        name: value
        for name, value in gateway.items()
        if name in _INHERITED or name.startswith(_INHERITED_PREFIX)
    }
    environment["PATH"] = gateway.get("PATH", _DEFAULT_PATH)
    if PurePath(program).is_absolute():
        environment["PATH"] = f"{PurePath(program).parent}:{environment['PATH']}"
    base = dict(environment)
    for name, value in kernelspec.items():
        environment[name] = string.Template(str(value)).safe_substitute(base)
    # What the operator names goes over the kernelspec, as in Enterprise Gateway.
    environment.update({name: gateway[name] for name in inherited if name in gateway})
    environment.update(asked)
    environment.update(HOME=home, USER=user, LOGNAME=user, PYTHONNOUSERSITE="1")
    # A kernel that finds it ends with the process of that id.
    environment.pop("JPY_PARENT_PID", None)
    return environment


def container_environment(
    gateway: Mapping[str, str],
    asked: Mapping[str, str],
    *,
    inherited: Collection[str] = (),
) -> dict[str, str]:
    """The variables that override those of a kernel's container: those of the gateway that the
    operator names (`inherited`), and those that were `asked` for with the kernel.

    The agent expands the kernelspec's `env` in the container, where `$PATH` is the container's.
    """
    environment = {name: gateway[name] for name in inherited if name in gateway}
    environment.update(asked)
    environment.pop("JPY_PARENT_PID", None)
    return environment


def for_kernel_only(asked: Mapping[str, str]) -> dict[str, str]:
    """Those of a client's variables that must not be in an agent's environment when it starts,
    because they could make the agent load the client's code."""
    return {name: value for name, value in asked.items() if name.startswith(READ_AT_START)}


def asked_environment(
    client: Mapping[str, str], *, kernel_id: str, project: str, username: str
) -> dict[str, str]:
    """The client's variables, and those that the gateway sets: whose kernel it is."""
    return {
        **client,
        # As Enterprise Gateway says it.
        "KERNEL_GATEWAY": "1",
        "KERNEL_ID": kernel_id,
        "KERNEL_PROJECT": project,
        "KERNEL_USERNAME": username,
    }
