"""Checks the launch policy that gateways are about to read."""

from __future__ import annotations

from pathlib import Path

from jupyter_ext.fleet.failure import FleetError


def check_launch_policy(file: str | None) -> None:
    """Raises `FleetError`, with the place, unless the file is a launch policy, or there is none."""
    if file is None:
        return
    # Its JSON Schema library takes more than a second to import.
    from jupyter_ext.launch_options.policy import parse_policy

    try:
        parse_policy(Path(file).read_bytes())
    except (OSError, ValueError) as error:
        raise FleetError(
            f"--launch-policy {file} cannot be used: {error}. Correct the file, or use "
            "--launch-policy '' for none"
        ) from error
