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
    """What an agent, and with it its kernel, gets to see.

    Of the gateway's own environment only language, time zone, PATH and what the operator names
    (`inherited`) go in, because everything else may be a secret; `program`'s folder comes first in
    PATH, so that `python` and `pip` in a cell are the kernel's own. Over that go the kernelspec's
    `env`, in which `${NAME}` is filled in, and then what was `asked` for with the kernel, as in
    Enterprise Gateway. Neither changes HOME and user.

    An agent's Python takes nothing from the user's own site: that is in HOME, where people write.
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
    """What goes over the environment that a kernel's container has by itself: what the operator
    names of the gateway's (`inherited`), and what was `asked` for with the kernel.

    The kernelspec's `env` is filled in by the agent, in the container: `$PATH` means the one there.
    """
    environment = {name: gateway[name] for name in inherited if name in gateway}
    environment.update(asked)
    environment.pop("JPY_PARENT_PID", None)
    return environment


def for_kernel_only(asked: Mapping[str, str]) -> dict[str, str]:
    """What of the variables that a client asks for must not be in an agent's environment when it
    starts, because it would have the agent load the client's code."""
    return {name: value for name, value in asked.items() if name.startswith(READ_AT_START)}


def asked_environment(
    client: Mapping[str, str], *, kernel_id: str, project: str, username: str
) -> dict[str, str]:
    """What the client asks for, and what the gateway knows better: who the kernel is for."""
    return {
        **client,
        # As Enterprise Gateway says it.
        "KERNEL_GATEWAY": "1",
        "KERNEL_ID": kernel_id,
        "KERNEL_PROJECT": project,
        "KERNEL_USERNAME": username,
    }
