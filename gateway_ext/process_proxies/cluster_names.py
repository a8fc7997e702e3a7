"""The names of what belongs to one kernel in a cluster."""

import re
from collections.abc import Mapping
from typing import Any

LONGEST_NAME = 63
"""Of a DNS label: names of pods become host names and labels."""

_LABEL = re.compile(r"(?=.{1,63}\Z)[a-z0-9]([-a-z0-9]*[a-z0-9])?")
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


def project_namespace(project: str, namespaces: Mapping[str, str]) -> str | None:
    """The namespace of a project's kernels (see KubernetesCluster.project_namespaces); None if
    there is none for it. Raises ValueError if the project's name cannot be part of one."""
    template = namespaces.get(project, namespaces.get("*"))
    return None if template is None else namespace_name(template, project)


def has_namespaces_of_projects(namespaces: Mapping[str, str]) -> bool:
    """Whether a project that `namespaces` does not name has a namespace of its own."""
    return "{project}" in namespaces.get("*", "")


def namespace_name(template: str, project: str) -> str:
    """`template` with the project's name for `{project}`. Raises ValueError if that is not the name
    of a namespace: a similar name could be another project's."""
    name = template.replace("{project}", project)
    if _LABEL.fullmatch(name):
        return name
    rule = "at most 63 lower case letters, digits and '-'"
    if "{project}" in template and _LABEL.fullmatch(template.replace("{project}", "x")):
        raise ValueError(
            f"{name!r} is not the name of a namespace ({rule}): name one for the project "
            f"{project!r} in KubernetesCluster.project_namespaces"
        )
    raise ValueError(f"{template!r} is not the name of a namespace: use {rule}, and {{project}}")


def _dns(text: str) -> str:
    return re.sub("[^0-9a-z]+", "-", text.lower()).strip("-")
