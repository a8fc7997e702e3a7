"""Where a gateway looks for kernelspecs."""

from jupyter_client.kernelspec import KernelSpecManager  # type: ignore[import-untyped]
from traitlets import List, Unicode


class FleetKernelSpecManager(KernelSpecManager):
    """Kernelspecs from folders that can be configured, as in later versions of jupyter_client."""

    kernel_dirs = List(
        Unicode(),
        help="Folders that hold kernelspecs, each in a folder of its own; the first one that has "
        "a name wins. The default are the folders `kernels` on Jupyter's data path.",
    ).tag(config=True)
