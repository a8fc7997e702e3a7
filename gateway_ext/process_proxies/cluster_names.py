"""The names of what belongs to one kernel in a cluster."""

import re
from collections.abc import Mapping
from typing import Any

LONGEST_NAME = 63
"""Of a DNS label: names of pods become host names and labels."""

_VARIABLE = re.compile(r"\{\{\s*([a-zA-Z][a-zA-Z0-9_]*)\s*\}\}")


def kernel_object_name(
    kernel_id: str, username: str, template: str, variables: Mapping[str, Any], longest: int
) -> str:
    """The name of a kernel's pod, in at most `longest` characters of a DNS label.

    `template` is KERNEL_POD_NAME, in which `{{ kernel_… }}` is filled in; if it is empty, or names
    a variable that there is not, the name is the user's and the kernel's id, as in Enterprise
    Gateway. The id is never what is cut off.
    """
    name = _VARIABLE.sub(lambda found: str(variables.get(found.group(1), found.group(0))), template)
    if not name or "{{" in name:
        room = longest - len(kernel_id) - 1
        name = f"{_dns(username)[:room].strip('-')}-{kernel_id}"
    name = _dns(name)[:longest].strip("-")
    # Services are named after it, and their names begin with a letter.
    return name if name[:1].isalpha() else f"k{name}"[:longest]


def _dns(text: str) -> str:
    return re.sub("[^0-9a-z]+", "-", text.lower()).strip("-")
