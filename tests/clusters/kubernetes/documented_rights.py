"""The rights that docs/clusters.md says a gateway needs: tests give it these and no others."""

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).parents[3] / "docs" / "clusters.md"
_VERBS = {"create", "get", "list", "watch", "patch", "update", "delete", "deletecollection"}
_GROUPS = {"sparkapplications": "sparkoperator.k8s.io", "rolebindings": "rbac.authorization.k8s.io"}
_OF_NO_NAMESPACE = {"namespaces", "nodes", "persistentvolumes"}


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource, such as `get` on `pods/log`."""

    resource: str
    verb: str

    @property
    def group(self) -> str:
        """The API group of the resource, "" for the core one."""
        return _GROUPS.get(self.resource, "")

    @property
    def namespaced(self) -> bool:
        """Whether it can be given in one namespace."""
        return self.resource not in _OF_NO_NAMESPACE


def documented_rights(text: str | None = None) -> list[Right]:
    """The table of rights in the document, or in `text`, one for each resource and verb."""
    lines = (DOCUMENT.read_text() if text is None else text).splitlines()
    start = lines.index("| resource | verbs |")
    rights = set()
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        resources, verbs = line.strip("|").split("|")
        words = re.match(r"[a-z ,]*", verbs)
        assert words, line
        for resource in re.findall(r"`([a-z/]+)`", resources):
            named = [verb.strip() for verb in words.group().split(",")]
            rights |= {Right(resource, verb) for verb in named if verb in _VERBS}
    return sorted(rights)
