"""The command that an agent in a container starts its kernel with."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from gateway_ext.process_proxies.agent_process import KernelspecUnusable

_PYTHON = ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"]
_START_SPARK = "from gateway_ext.kernel_tools.spark_session import *"
_SPARK_MODE_OPTIONS = (
    "--spark-context-initialization-mode",
    "--RemoteProcessProxy.spark-context-initialization-mode",
)


def kernel_command(
    kernelspec: Mapping[str, Any], config: Mapping[str, Any], *, in_spark: bool = False
) -> list[str]:
    """The kernel's argv, with the placeholders of kernel.json.

    A kernelspec for agents has it in `argv`. Enterprise Gateway's kernelspecs name a launcher
    there, which would run next to the gateway: the kernel's command then depends on the language,
    or is in the process proxy's `config.kernel_argv`. `in_spark` says that the agent runs in a
    Spark driver; Enterprise Gateway's kernelspecs then create a session at the start unless they
    say `none`. Raises KernelspecUnusable.
    """
    named = config.get("kernel_argv")
    if named is not None:
        if not isinstance(named, list) or not named or not all(isinstance(a, str) for a in named):
            raise KernelspecUnusable(
                "metadata.process_proxy.config.kernel_argv must be a list with the kernel's command"
            )
        return list(named)
    argv = [str(argument) for argument in kernelspec.get("argv") or []]
    if any("{connection_file}" in argument for argument in argv):
        return argv
    language = str(kernelspec.get("language") or "").lower()
    if language != "python":
        raise KernelspecUnusable(
            f"the command of a kernel for {language or 'an unnamed language'} in its container is "
            "unknown: set metadata.process_proxy.config.kernel_argv, for example "
            '["R", "--slave", "-e", "IRkernel::main()", "--args", "{connection_file}"]'
        )
    if in_spark and _spark_mode(argv) != "none":
        return [*_PYTHON, f"--IPKernelApp.exec_lines={_START_SPARK}"]
    return list(_PYTHON)


def _spark_mode(argv: list[str]) -> str:
    for option, value in pairwise(argv):
        if option in _SPARK_MODE_OPTIONS:
            return value
    return "none"
