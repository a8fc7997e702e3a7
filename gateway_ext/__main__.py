"""The console script jupyter-fleet-gateway, also `python -m gateway_ext`."""

from jupyter_ext import garbage_at_start


def main() -> None:
    """Run a gateway; it ends what is begun here when it has started."""
    garbage_at_start.leave_it()
    # Only now: the import is what takes long.
    from gateway_ext.app import main as run

    run()


if __name__ == "__main__":
    main()
