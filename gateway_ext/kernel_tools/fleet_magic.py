"""`%fleet`: shows what this kernel is in its fleet, and who started it.

An IPython extension. Outside of a fleet it adds nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from IPython.core.error import UsageError

from gateway_ext.agent.call_lines import VARIABLE

from .fleet_calls import FleetCallError, NoFleet, launch_details


def load_ipython_extension(shell: Any) -> None:
    """Called by IPython."""
    if VARIABLE in os.environ:
        shell.register_magic_function(fleet, "line", "fleet")


def fleet(line: str) -> None:
    """Show this kernel's project and notebook, who started it and when, with which options, and
    the gateway that it is connected to: `%fleet`."""
    if line.strip():
        raise UsageError(
            "%fleet takes no arguments. In code: "
            "gateway_ext.kernel_tools.fleet_calls.launch_details()"
        )
    try:
        print(in_words(launch_details()))
    except (FleetCallError, NoFleet, TimeoutError) as error:
        raise UsageError(f"%fleet: {error}") from error


def in_words(details: Mapping[str, Any]) -> str:
    """The result of `launch-details` for a person, one line for each detail."""
    rows = [
        ("project", details["project"]),
        ("notebook", details["path"] or "none"),
        ("started", f"{details['started']} by {details['username']}"),
        ("kernel", f"{details['kernel_name']}, {details['kernel_id']}"),
        ("gateway", f"{details['owner']}, epoch {details['epoch']}"),
    ]
    options = details["launch_options"]
    rows += [(f"option {name}", json.dumps(options[name])) for name in sorted(options)]
    if not options:
        rows.append(("options", "none"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
