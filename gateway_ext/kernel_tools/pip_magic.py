"""`%pip`: installs into the folder that the agent gave this kernel for packages, and says where.

An IPython extension. Without such a folder it leaves IPython's own `%pip` as it is.
"""

from __future__ import annotations

import importlib
import os
import shlex
import site
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from gateway_ext.agent.package_site import END_WITH, FOLDER, LEFT_OUT, site_packages, site_python
from gateway_ext.kernel_tools.name_look_up import no_server_answers
from gateway_ext.kernel_tools.network_words import is_cut, words_about_network

_PYPI = "pypi.org"


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    if FOLDER not in os.environ:
        return
    folder = Path(os.environ[FOLDER])

    def pip(line: str) -> None:
        """Run pip for the packages of this project's kernels: `%pip install NAME`."""
        shell.system(f"{shlex.quote(str(site_python(folder)))} -P -m pip {line}")
        # The import system remembers what folders hold, and which folders installed .pth files add.
        importlib.invalidate_caches()
        if LEFT_OUT not in os.environ:
            site.addsitedir(str(site_packages(folder)))
        if shell.user_ns.get("_exit_code") == 0:
            words = words_after(line, folder, os.environ.get(END_WITH, ""))
            print(words, end="\n" if words else "")
        elif words_about_network(os.environ):
            # What pip has met is in its output alone.
            cut = is_cut()
            unanswered = not cut and no_server_answers(index_host(os.environ))
            words = words_about_network(os.environ, unanswered=unanswered, cut=cut)
            print(words, file=sys.stderr, flush=True)

    shell.register_magic_function(pip, "line", "pip")
    if LEFT_OUT in os.environ:
        _say_once(shell, words_without_packages(os.environ[LEFT_OUT], folder))


def index_host(environment: Mapping[str, str]) -> str:
    """Where pip looks for packages."""
    try:
        return urlsplit(environment.get("PIP_INDEX_URL", "")).hostname or _PYPI
    except ValueError:
        return _PYPI


def words_after(line: str, folder: Path, end_with: str) -> str:
    """The message to show after `%pip LINE` has succeeded; may be empty."""
    command = next((word for word in line.split() if not word.startswith("-")), "")
    if command not in ("install", "uninstall"):
        return ""
    restart = "Packages that this kernel has already imported change when you restart it."
    if command == "uninstall":
        return restart
    if end_with:
        stay = f"It ends with this kernel's {end_with}: the next one starts without it."
    else:
        stay = "Every kernel of this project can use it until it is uninstalled."
    return f"Installed in {folder}. {stay} {restart}"


def words_without_packages(why: str, folder: Path) -> str:
    """The message to show if the kernel runs without the packages."""
    return (
        f"This kernel runs without the packages that %pip has installed: {why}.\nRemove the "
        "one that causes this (%pip uninstall NAME), or all of them (!rm -r "
        f"{shlex.quote(str(folder / 'lib'))}), and restart the kernel."
    )


def _say_once(shell: Any, words: str) -> None:
    def say(_: Any = None) -> None:
        shell.events.unregister("pre_run_cell", say)
        print(words, file=sys.stderr, flush=True)

    shell.events.register("pre_run_cell", say)
