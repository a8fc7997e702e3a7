"""Where a gateway looks for kernelspecs, and which one a name means."""

import re
from collections.abc import Mapping

from jupyter_client.kernelspec import (  # type: ignore[import-untyped]
    KernelSpec,
    KernelSpecManager,
    NoSuchKernel,
)
from traitlets import List, Unicode

_USUAL_NAMES = ("python3", "python")
_NAMES_OF_PYTHON = re.compile(r"python[-_]?[0-9.]*|conda-(.+-)?py", re.IGNORECASE)
"""Names of Python kernelspecs in other installations: from ipykernel and nb_conda_kernels."""


def python_kernelspec(asked: str, languages: Mapping[str, str], default: str) -> str | None:
    """The kernelspec for a name that is not here, where the name says that it is Python's.

    `languages` has the language of each kernelspec that is here. None if there is none for Python,
    or if there are several and neither the default nor one with a usual name.
    """
    if not _NAMES_OF_PYTHON.fullmatch(asked):
        return None
    ours = sorted(name for name, language in languages.items() if language.lower() == "python")
    for name in (default, *_USUAL_NAMES):
        if name in ours:
            return name
    return ours[0] if len(ours) == 1 else None


def meant_kernelspec(manager: KernelSpecManager, asked: str, default: str) -> str:
    """The kernelspec that is meant by a name, which notebooks may have from elsewhere; the name
    itself if none is found. Reads files."""
    # In the spelling by which the operator's policy and everybody else knows it.
    if asked.lower() in manager.find_kernel_specs():
        return asked.lower()
    languages = {
        name: str(found["spec"].get("language") or "")
        for name, found in manager.get_all_specs().items()
    }
    return python_kernelspec(asked, languages, default) or asked


class FleetKernelSpecManager(KernelSpecManager):
    """Kernelspecs from folders that can be configured, as in later versions of jupyter_client."""

    kernel_dirs = List(
        Unicode(),
        help="Folders that contain kernelspecs, each in its own folder. If a name occurs more than "
        "once, the first one is used. The default is the folders `kernels` on Jupyter's data path.",
    ).tag(config=True)

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """The kernelspec of that name; raises NoSuchKernel.

        jupyter_client would take the gateway's own environment for `python3`.
        """
        if kernel_name.lower() not in self.find_kernel_specs():
            raise NoSuchKernel(kernel_name)
        return super().get_kernel_spec(kernel_name)
