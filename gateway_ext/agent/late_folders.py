"""`python -P -m gateway_ext.agent.late_folders -m MODULE ARGUMENTS`: becomes ipykernel, which finds
what others can write to only once it has started.

The working folder and the packages that people have installed are shared by the project's kernels:
whatever is imported from there while a kernel starts, nobody has asked for. So both come onto the
import path after the kernel's own imports, before its first request; `.pth` files of the packages
add folders, but run no code.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import os
import runpy
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

from .package_site import FOLDER, KEPT, LEFT_OUT, TOOLS, cannot_be_made, enter_site, make_site
from .start_files import VARIABLE as SETTINGS

MODULES = ("gateway_ext.agent.python_kernel", "ipykernel_launcher")
"""The kernels that this is for."""
_IMPORTED_BY_KERNELS = (
    "ipykernel.kernelapp",
    "ipykernel.ipkernel",
    "ipykernel.zmqshell",
    "ipykernel.debugger",
    "ipywidgets",
    "psutil",
    "IPython.core.completerlib",
    "IPython.core.debugger",
    "IPython.core.guarded_eval",
    "IPython.core.magics.basic",
    "IPython.core.oinspect",
    "IPython.extensions.storemagic",
    "faulthandler",
    "jedi",
    "pexpect",
    "sqlite3",
    "tornado.platform.asyncio",
    "gateway_ext.agent.ending_kernel",
    "gateway_ext.agent.kept_output",
    "gateway_ext.agent.text_packer",
    "gateway_ext.agent.written_output",
    "gateway_ext.kernel_tools.altair_charts",
    "gateway_ext.kernel_tools.fleet_magic",
    "gateway_ext.kernel_tools.pip_magic",
)
"""What ipykernel imports until it has answered its first requests, some of it from functions, and
what of ours `python_kernel` does."""


def import_what_kernels_import() -> None:
    """Import it once for all forks. Ignores missing modules: the kernel will report them."""
    name = "PYDEVD_DISABLE_FILE_VALIDATION"
    before = os.environ.get(name)
    # Otherwise the debugger prints a warning here that only matters when debugging.
    os.environ[name] = "1"
    for module in _IMPORTED_BY_KERNELS:
        with contextlib.suppress(ImportError):
            importlib.import_module(module)
    if before is None:
        del os.environ[name]
    else:
        os.environ[name] = before


def run_kernel(module: str) -> None:
    """Run one of MODULES as `python -m` does, with `sys.argv` as it is."""
    import_what_kernels_import()
    # Jedi loads what it finds in its cache as code.
    if (jedi := sys.modules.get("jedi")) is not None and (folder := os.environ.get(SETTINGS)):
        jedi.settings.cache_directory = str(Path(folder) / "jedi")
    _debug_without_files()
    _come_late(_made_site())
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _debug_without_files() -> None:
    """Have pdb ignore `.pdbrc` of the home and of the working folder, which others can write."""
    import pdb

    init = pdb.Pdb.__init__

    @functools.wraps(init)
    def init_without_files(self: pdb.Pdb, *args: Any, **kwargs: Any) -> None:
        if "readrc" not in inspect.signature(init).bind(self, *args, **kwargs).arguments:
            kwargs["readrc"] = False
        init(self, *args, **kwargs)

    pdb.Pdb.__init__ = init_without_files  # type: ignore[method-assign]


def _made_site() -> Path | None:
    if FOLDER not in os.environ or LEFT_OUT in os.environ:
        return None
    folder = Path(os.environ[FOLDER])
    try:
        make_site(folder)
    except OSError as error:
        os.environ[LEFT_OUT] = cannot_be_made(folder, error)
        return None
    return folder


def _come_late(packages: Path | None) -> None:
    from ipykernel import kernelapp

    application = kernelapp.IPKernelApp
    start = application.start

    def init_path(app: Any) -> None:
        """Not yet."""

    def start_late(app: kernelapp.IPKernelApp) -> None:
        before = list(sys.path)
        forgotten = frozenset[str]() if packages is None else enter_site(packages)
        if not app.ignore_cwd and "" not in sys.path:
            sys.path.insert(place_of_working_folder(sys.path), "")
        sys.meta_path.insert(0, _OfTheEnvironment(before, forgotten))
        start(app)

    application.init_path = init_path  # type: ignore[method-assign]
    application.start = start_late  # type: ignore[method-assign]


class _OfTheEnvironment(MetaPathFinder):
    """Finds what a kernel works with, and what its tools import, where it was found at the start:
    pages that complete a word and cells that fail import some of it for the first time."""

    def __init__(self, path: Sequence[str], forgotten: frozenset[str]) -> None:
        """`forgotten` are packages that people's code imports anew, but not the kernel's own."""
        self._path, self._forgotten = path, forgotten

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib. What is in a package is where that is."""
        if path is not None:
            return None
        importer = _importer()
        alone = importer in TOOLS
        own = importer in KEPT and fullname in self._forgotten
        if not (fullname in KEPT or alone or own):
            return None
        spec = PathFinder.find_spec(fullname, self._path, target)
        if spec is None and alone and fullname not in sys.builtin_module_names:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return spec


def _importer() -> str:
    """The package whose code imports something just now."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        frame = frame.f_back
    name = "" if frame is None else frame.f_globals.get("__name__") or ""
    return str(name).partition(".")[0]


def place_of_working_folder(path: Sequence[str]) -> int:
    """Where IPython puts it: after the standard library, before what is installed."""
    installed = {"site-packages", "dist-packages"}
    return next((at for at, one in enumerate(path) if os.path.basename(one) in installed), 0)


def main() -> None:
    """Become the kernel."""
    del sys.argv[:2]
    run_kernel(sys.argv[0])


if __name__ == "__main__":
    main()
