"""In which namespace the kernels of a project run."""

import pytest
from traitlets import TraitError

from gateway_ext.process_proxies.cluster_names import project_namespace
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster

NAMESPACES = {
    "*": "kernels-{project}",
    "r_and_d": "kernels-research",
    "team-a": "a-{project}-kernels",
}


@pytest.mark.parametrize(
    ("project", "namespace"),
    [
        ("demo", "kernels-demo"),
        ("r_and_d", "kernels-research"),
        ("team-a", "a-team-a-kernels"),
    ],
)
def test_each_project_has_its_namespace(project: str, namespace: str) -> None:
    assert project_namespace(project, NAMESPACES) == namespace


def test_a_project_that_is_not_named_has_none_of_its_own() -> None:
    assert project_namespace("demo", {}) is None
    assert project_namespace("demo", {"other": "kernels-other"}) is None


@pytest.mark.parametrize("project", ["Demo", "a_b", "Ä", "x" * 60, "a/b", "a b", "demo\n"])
def test_no_similar_namespace_is_made_up_for_a_project(project: str) -> None:
    """`Demo` and `demo` may be two projects: one must not get the namespace of the other."""
    with pytest.raises(ValueError, match=r"name one for the project .*\.project_namespaces"):
        project_namespace(project, {"*": "kernels-{project}-x"})


@pytest.mark.parametrize("namespace", ["Kernels", "kernels-{name}", "{project}_x", "", "a.b"])
def test_what_cannot_be_a_namespace_is_refused_when_the_gateway_starts(namespace: str) -> None:
    with pytest.raises(TraitError, match=r"KubernetesCluster\.project_namespaces: "):
        KubernetesCluster(project_namespaces={"*": namespace})


def test_the_configured_namespaces_are_taken() -> None:
    assert KubernetesCluster(project_namespaces=NAMESPACES).project_namespaces == NAMESPACES
