"""Who may call the API server: a token for each role, and the kubeconfigs that carry them."""

import json
import secrets
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Identity:
    """A user of the API server, as its RBAC rules name it."""

    user: str
    group: str


ADMIN = Identity("admin", "system:masters")
CONTROLLER_MANAGER = Identity("system:kube-controller-manager", "")
SCHEDULER = Identity("system:kube-scheduler", "")


def node(name: str) -> Identity:
    """A kubelet."""
    return Identity(f"system:node:{name}", "system:nodes")


class Tokens:
    """The token file of an API server. It is read once, when the API server starts."""

    def __init__(self, file: Path, identities: list[Identity]) -> None:
        self.file = file
        self._tokens = {identity: secrets.token_urlsafe(16) for identity in identities}
        lines = [
            f'{token},{identity.user},{identity.user},"{identity.group}"'
            for identity, token in self._tokens.items()
        ]
        file.write_text("\n".join(lines) + "\n")
        file.chmod(0o600)

    def of(self, identity: Identity) -> str:
        """The identity's token."""
        return self._tokens[identity]


def write_kubeconfig(file: Path, server: str, certificate: Path, token: str) -> Path:
    """A kubeconfig of one user; JSON is YAML."""
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "c",
                "cluster": {"server": server, "certificate-authority": str(certificate)},
            }
        ],
        "users": [{"name": "u", "user": {"token": token}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    file.write_text(json.dumps(document))
    file.chmod(0o600)
    return file
