"""The manifests in deploy/kubernetes: the rights in them are those that the document lists."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway_ext.process_proxies.manifests import KernelObjects
from jupyter_ext.fleet.ports import HIGHEST, LOWEST

REPOSITORY = Path(__file__).parents[4]
FOLDER = REPOSITORY / "deploy" / "kubernetes"
GROUPS = {"sparkapplications": "sparkoperator.k8s.io"}
ACCOUNT = {"kind": "ServiceAccount", "name": "gateways", "namespace": "jupyter-fleet"}

Right = tuple[str, str, str]


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def of_kind(name: str, kind: str) -> dict[str, Any]:
    [found] = [one for one in documents(name) if one["kind"] == kind]
    return found


def documented(*, resources: str) -> set[Right]:
    """The rights in the rows of the document's table whose first column matches, as (group,
    resource, verb)."""
    lines = (REPOSITORY / "docs" / "clusters.md").read_text().splitlines()
    start = lines.index("| resource | verbs |") + 2
    rights = set()
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        names, verbs = line.strip("|").split("|")
        if re.search(resources, names):
            for name in re.findall(r"`([a-z/]+)`", names):
                words = verbs.partition("(")[0]
                rights |= {
                    (GROUPS.get(name, ""), name, verb) for verb in re.findall("[a-z]+", words)
                }
    return rights


def granted(role: dict[str, Any]) -> set[Right]:
    return {
        (group, resource, verb)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_gateways_get_the_documented_rights_and_no_others() -> None:
    rights = documented(resources="`(pods|secrets|pods/log|events)`")
    assert ("", "pods", "delete") in rights
    assert granted(of_kind("gateways.yaml", "Role")) == rights


def test_the_spark_operator_needs_what_is_documented() -> None:
    assert granted(of_kind("spark-operator.yaml", "Role")) == documented(
        resources="sparkapplications"
    )


@pytest.mark.parametrize("name", ["gateways.yaml", "spark-operator.yaml"])
def test_the_rights_are_given_to_the_account_in_the_namespace_of_kernels(name: str) -> None:
    role, binding = of_kind(name, "Role"), of_kind(name, "RoleBinding")
    assert binding["subjects"] == [ACCOUNT]
    assert binding["roleRef"]["name"] == role["metadata"]["name"]
    assert {role["metadata"]["namespace"], binding["metadata"]["namespace"]} == {"kernels"}
    made = {one["metadata"]["name"] for one in documents("namespaces.yaml")}
    assert made == {"kernels", ACCOUNT["namespace"]}


def test_the_account_is_out_of_reach_of_pods_of_kernels() -> None:
    account = of_kind("gateways.yaml", "ServiceAccount")["metadata"]
    assert account == {"name": "gateways", "namespace": "jupyter-fleet"}


def test_the_namespace_of_kernels_enforces_restricted() -> None:
    kernels = next(one for one in documents("namespaces.yaml") if "labels" in one["metadata"])
    assert kernels["metadata"]["name"] == "kernels"
    assert kernels["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_network_policy_selects_kernels_lets_nobody_in_and_few_out() -> None:
    [policy] = documents("network-policy.yaml")
    labels = KernelObjects("ada-1", "kernels", "1", "demo", "l").labels
    selected = policy["spec"]["podSelector"]["matchLabels"]
    assert selected.items() <= labels.items()
    assert policy["metadata"]["namespace"] == "kernels"
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    assert policy["spec"]["ingress"] == []
    gateways, names = policy["spec"]["egress"]
    assert gateways["to"] == [{"ipBlock": {"cidr": "192.0.2.7/32"}}]
    # Where `jupyter fleet up` chooses ports.
    assert gateways["ports"] == [{"protocol": "TCP", "port": LOWEST, "endPort": HIGHEST}]
    assert {one["port"] for one in names["ports"]} == {53}
