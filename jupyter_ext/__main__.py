"""A lab as a program, `python -m jupyter_ext`: JupyterLab, with the same arguments."""

import sys

from jupyter_ext import garbage_at_start


def main() -> None:
    """Start JupyterLab; the server extension ends what is begun here."""
    garbage_at_start.leave_it()
    # Only now: the import is what takes long.
    from jupyterlab.labapp import main as run  # type: ignore[import-untyped]

    sys.exit(run())


if __name__ == "__main__":
    main()
