"""What IPython keeps of what cells print.

IPython 9 keeps every text that any cell prints, until the kernel ends, for `%notebook` alone. So a
kernel would grow by everything that it prints, and printing take a third more time.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Callable
from typing import Any

_NOT_EXPORTED = (
    "What cells printed is not in this file: this kernel does not keep it. "
    "A notebook that is saved in JupyterLab has it."
)


def keep_no_output(shell: Any) -> None:
    """Make an `InteractiveShell` keep nothing of what is printed; `%notebook` says so.

    In the instance: libraries look at the class of the shell.
    """
    shell._tee = lambda channel: contextlib.nullcontext()
    notebook = shell.find_line_magic("notebook")
    if notebook is not None:
        shell.register_magic_function(_saying_so(notebook), "line", "notebook")


def _saying_so(notebook: Callable[[str], Any]) -> Callable[[str], Any]:
    @functools.wraps(notebook)
    def export(line: str) -> Any:
        result = notebook(line)
        print(_NOT_EXPORTED, file=sys.stderr)
        return result

    return export
