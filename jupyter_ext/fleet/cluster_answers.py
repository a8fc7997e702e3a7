"""Whether the clusters of a fleet answer its gateways, in words for operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.first_answer import first_answer
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.wire.routes import CLUSTERS_ROUTE

# Gateways give a cluster 4 s.
_SECONDS = 8.0

_TITLES = {"kubernetes": "Kubernetes", "yarn": "YARN"}
_WELL = "answers"


def cluster_answers(data_dir: DataDir, settings: Settings) -> list[dict[str, Any]] | None:
    """``[{"name", "state", "message"}]`` of the fleet's clusters, as a gateway finds them now
    (docs/protocols.md); empty without clusters, None if no gateway says."""
    if settings.kubeconfig is None and settings.yarn_conf is None:
        return []
    found: list[dict[str, Any]] | None = first_answer(
        data_dir, settings, "gateway", CLUSTERS_ROUTE, seconds=_SECONDS
    )
    return found


def answer_line(answer: Mapping[str, Any], settings: Settings) -> str:
    """What one cluster says, and what to do about it."""
    name, state = str(answer["name"]), answer["state"]
    title = _TITLES.get(name, name)
    if state == _WELL:
        return f"{title} answers and accepts the gateways' credentials"
    return f"{title}: {answer['message']}. {_advice(name, str(state), settings)}".rstrip()


def warnings(answers: Iterable[Mapping[str, Any]] | None, settings: Settings) -> list[str]:
    """A line for each cluster in which no kernel can be started now."""
    return [answer_line(one, settings) for one in answers or () if one["state"] != _WELL]


def _advice(name: str, state: str, settings: Settings) -> str:
    if name == "kubernetes":
        file = settings.kubeconfig
        if state == "refused":
            return f"Renew the token or certificate in --kubeconfig {file}"
        if state == "denied":
            return "Give their account the rights that docs/clusters.md lists, or name another one"
        return f"Check that the API server runs, and its address in --kubeconfig {file}"
    if state == "silent":
        folder = settings.yarn_conf
        return f"Check that the ResourceManager runs, and its address in --yarn-conf {folder}"
    return "Let the user who runs the gateways use its REST interface"
