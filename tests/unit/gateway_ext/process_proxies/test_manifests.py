"""The objects of a kernel, compared with those that one would write by hand."""

import sys
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import KernelspecUnusable, LaunchFailed
from gateway_ext.process_proxies.cluster_names import kernel_object_name
from gateway_ext.process_proxies.manifests import (
    KernelObjects,
    make_extra,
    make_files,
    make_namespace,
    make_pod,
    make_role_binding,
    make_spark_application,
)
from gateway_ext.process_proxies.template_rendering import (
    find_template,
    render,
    template_variables,
)

ID = "4be4b4fc-0a2e-4a4e-a07d-5b8b1b8d0b6e"
KERNEL = KernelObjects(f"ada-{ID}", "fleet", ID, "demo", "0123456789abcdef")
FILES_NAME = "kernel-0123456789abcdef"
LABELS = {
    "component": "kernel",
    "kernel_id": ID,
    "fleet-launch": "0123456789abcdef",
}
SPECS = Path(__file__).parents[4] / "kernelspecs" / "clusters"
ENVIRONMENT = {
    "KERNEL_ID": ID,
    "KERNEL_USERNAME": "ada",
    "KERNEL_IMAGE": "team/kernel:7",
    "KERNEL_EXECUTOR_IMAGE": "team/executor:7",
    "KERNEL_SERVICE_ACCOUNT_NAME": "kernels",
}


def test_our_pod() -> None:
    variables = template_variables({**ENVIRONMENT, "KERNEL_CPUS": "2", "KERNEL_GPUS_LIMIT": "1"})
    [template] = render(SPECS / "python_kubernetes" / "kernel-pod.yaml.j2", variables)
    assert make_pod(template, KERNEL, "python") == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"ada-{ID}",
            "namespace": "fleet",
            "labels": LABELS,
            "annotations": {
                "cluster-autoscaler.kubernetes.io/safe-to-evict": "false",
                "fleet-project": "demo",
            },
        },
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "kernels",
            "automountServiceAccountToken": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 100,
                "fsGroup": 100,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "kernel",
                    "image": "team/kernel:7",
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {
                        "requests": {"cpu": "2", "memory": "1Gi"},
                        "limits": {"nvidia.com/gpu": "1"},
                    },
                    "command": ["python", "-m", "gateway_ext.agent"],
                    "args": ["--document", "/var/run/jupyter-fleet/start.json"],
                    "env": [
                        {"name": "PYTHONNOUSERSITE", "value": "1"},
                        {"name": "PYTHONPATH", "value": "/var/run/jupyter-fleet/agent.zip"},
                        {"name": "KERNEL_ID", "value": ID},
                    ],
                    "volumeMounts": [
                        {
                            "name": "jupyter-fleet",
                            "mountPath": "/var/run/jupyter-fleet",
                            "readOnly": True,
                        }
                    ],
                }
            ],
            "volumes": [
                {
                    "name": "jupyter-fleet",
                    "secret": {"secretName": FILES_NAME, "defaultMode": 0o444},
                }
            ],
        },
    }


def test_one_spelling_of_a_variable_reaches_a_template() -> None:
    """Every check of a variable is by its name in upper case."""
    variables = template_variables({"KERNEL_Run_As_Root": "true", "KERNEL_GPUS": "1"})
    assert variables == {"kernel_gpus": "1"}


def test_a_manifest_takes_little_of_the_event_loop() -> None:
    """By the calls of Python functions, of which YAML in Python takes many thousands."""
    our_pod()
    calls = 0

    def count(frame: Any, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    sys.setprofile(count)
    try:
        our_pod()
    finally:
        sys.setprofile(None)
    assert 0 < calls < 3000


def our_pod(**environment: str) -> dict[str, Any]:
    variables = template_variables({**ENVIRONMENT, **environment})
    [template] = render(SPECS / "python_kubernetes" / "kernel-pod.yaml.j2", variables)
    return make_pod(template, KERNEL, "python")


def violations_of_restricted(pod: dict[str, Any]) -> list[str]:
    """What the Pod Security level `restricted` finds wrong, by its published rules for Linux."""
    spec = pod["spec"]
    of_pod = spec.get("securityContext") or {}
    found = [
        f"the volume {one['name']}"
        for one in spec.get("volumes") or []
        if not set(one) & {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "secret"}
        and not set(one) & {"persistentVolumeClaim", "projected"}
    ]
    found += [one for one in ("hostNetwork", "hostPID", "hostIPC") if spec.get(one)]
    for container in (*spec["containers"], *(spec.get("initContainers") or [])):
        own = {**of_pod, **(container.get("securityContext") or {})}
        capabilities = own.get("capabilities") or {}
        wrong = {
            "privileged": own.get("privileged", False),
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is not False,
            "runAsNonRoot": own.get("runAsNonRoot") is not True,
            "runAsUser": own.get("runAsUser") == 0,
            "seccompProfile": (own.get("seccompProfile") or {}).get("type")
            not in ("RuntimeDefault", "Localhost"),
            "drop": "ALL" not in (capabilities.get("drop") or []),
            "add": not set(capabilities.get("add") or []) <= {"NET_BIND_SERVICE"},
            "hostPort": any(one.get("hostPort") for one in container.get("ports") or []),
            "procMount": own.get("procMount", "Default") != "Default",
        }
        found += [name for name, is_wrong in wrong.items() if is_wrong]
    return found


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"KERNEL_UID": "5000", "KERNEL_GID": "6000"},
        {"KERNEL_GPUS": "1", "KERNEL_GPUS_LIMIT": "1", "KERNEL_MEMORY_LIMIT": "2Gi"},
        {"KERNEL_RUN_AS_ROOT": "false"},
        {
            "KERNEL_VOLUMES": "[{name: data, persistentVolumeClaim: {claimName: data}}]",
            "KERNEL_VOLUME_MOUNTS": "[{name: data, mountPath: /data}]",
        },
    ],
)
def test_our_pod_passes_the_pod_security_level_restricted(environment: dict[str, str]) -> None:
    assert violations_of_restricted(our_pod(**environment)) == []


def test_the_rules_of_restricted_are_not_empty() -> None:
    """What the test above would find, in a pod as it was without them."""
    pod = our_pod(KERNEL_VOLUMES="[{name: host, hostPath: {path: /}}]")
    del pod["spec"]["securityContext"]
    pod["spec"]["containers"][0]["securityContext"] = {"capabilities": {"add": ["SYS_ADMIN"]}}
    assert violations_of_restricted(pod) == [
        "the volume host",
        "allowPrivilegeEscalation",
        "runAsNonRoot",
        "seccompProfile",
        "drop",
        "add",
    ]


def test_our_pod_runs_as_the_user_of_the_kernelspec() -> None:
    context = our_pod(KERNEL_UID="5000", KERNEL_GID="6000")["spec"]["securityContext"]
    assert (context["runAsUser"], context["runAsGroup"]) == (5000, 6000)


def test_an_image_that_works_only_as_root() -> None:
    spec = our_pod(KERNEL_RUN_AS_ROOT="True")["spec"]
    assert spec["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}}
    assert spec["containers"][0]["securityContext"] == {"allowPrivilegeEscalation": False}


STOCK = """
apiVersion: v1
kind: Pod
metadata:
  name: {{ kernel_pod_name | yaml_safe }}
  labels:
    app: enterprise-gateway
    kernel_id: somebody-else
spec:
  restartPolicy: Always
  automountServiceAccountToken: true
  containers:
  - image: {{ kernel_image | yaml_safe }}
    name: main
    env:
    - name: PYTHONPATH
      value: /opt/lib
    - name: MINE
      value: kept
    volumeMounts:
    {% if kernel_volume_mounts %}
      {% for mount in kernel_volume_mounts %}
    - {{ mount | yaml_safe }}
      {% endfor %}
    {% endif %}
  volumes:
"""


def test_a_template_as_in_enterprise_gateway(tmp_path: Path) -> None:
    (tmp_path / "t.j2").write_text(STOCK)
    mounts = "[{name: data, mountPath: /data}]"
    environment = {**ENVIRONMENT, "KERNEL_VOLUME_MOUNTS": mounts, "KERNEL_POD_NAME": "theirs"}
    [template] = render(tmp_path / "t.j2", template_variables(environment))
    assert make_pod(template, KERNEL, "/opt/conda/bin/python") == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"ada-{ID}",
            "namespace": "fleet",
            "labels": {"app": "enterprise-gateway", **LABELS},
            "annotations": {"fleet-project": "demo"},
        },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": True,
            "containers": [
                {
                    "name": "main",
                    "image": "team/kernel:7",
                    "command": ["/opt/conda/bin/python", "-m", "gateway_ext.agent"],
                    "args": ["--document", "/var/run/jupyter-fleet/start.json"],
                    "env": [
                        {"name": "MINE", "value": "kept"},
                        {"name": "PYTHONNOUSERSITE", "value": "1"},
                        {
                            "name": "PYTHONPATH",
                            "value": "/var/run/jupyter-fleet/agent.zip:/opt/lib",
                        },
                        {"name": "KERNEL_ID", "value": ID},
                    ],
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {
                            "name": "jupyter-fleet",
                            "mountPath": "/var/run/jupyter-fleet",
                            "readOnly": True,
                        },
                    ],
                }
            ],
            "volumes": [
                {
                    "name": "jupyter-fleet",
                    "secret": {"secretName": FILES_NAME, "defaultMode": 0o444},
                }
            ],
        },
    }


def test_our_spark_application() -> None:
    [template] = render(
        SPECS / "spark_python_operator" / "sparkoperator.k8s.io-v1beta2.yaml.j2",
        template_variables(ENVIRONMENT),
    )
    assert make_spark_application(template, KERNEL) == {
        "apiVersion": "sparkoperator.k8s.io/v1beta2",
        "kind": "SparkApplication",
        "metadata": {
            "name": f"ada-{ID}",
            "namespace": "fleet",
            "labels": LABELS,
            "annotations": {"fleet-project": "demo"},
        },
        "spec": {
            "type": "Python",
            "mode": "cluster",
            "sparkVersion": "4.0.0",
            "pythonVersion": "3",
            "image": "team/kernel:7",
            "restartPolicy": {"type": "Never"},
            "mainApplicationFile": "local:///var/run/jupyter-fleet/agent.py",
            "arguments": ["--document", "/var/run/jupyter-fleet/start.json"],
            "sparkConf": {
                "spark.kubernetes.driverEnv.PYTHONPATH": "/var/run/jupyter-fleet/agent.zip",
                "spark.kubernetes.driverEnv.PYTHONNOUSERSITE": "1",
            },
            "driver": {
                "serviceAccount": "kernels",
                "cores": 1,
                "memory": "1g",
                "annotations": {"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"},
                "labels": LABELS,
                "secrets": [
                    {
                        "name": FILES_NAME,
                        "path": "/var/run/jupyter-fleet",
                        "secretType": "Generic",
                    }
                ],
                "template": spark_pod("spark-kubernetes-driver"),
            },
            "executor": {
                "image": "team/executor:7",
                "instances": 2,
                "cores": 1,
                "memory": "1g",
                "labels": {**LABELS, "component": "worker"},
                "template": spark_pod("spark-kubernetes-executor"),
            },
        },
    }


def spark_pod(container: str) -> dict[str, Any]:
    return {
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": container,
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
        }
    }


def spark_templates(**environment: str) -> list[dict[str, Any]]:
    """The pods that Spark begins with: the driver's, and an executor's."""
    [template] = render(
        SPECS / "spark_python_operator" / "sparkoperator.k8s.io-v1beta2.yaml.j2",
        template_variables({**ENVIRONMENT, **environment}),
    )
    spec = make_spark_application(template, KERNEL)["spec"]
    return [spec["driver"]["template"], spec["executor"]["template"]]


@pytest.mark.parametrize(
    "environment",
    [{}, {"KERNEL_UID": "5000", "KERNEL_GID": "6000"}, {"KERNEL_RUN_AS_ROOT": "false"}],
)
def test_our_spark_pods_pass_the_pod_security_level_restricted(
    environment: dict[str, str],
) -> None:
    for pod in spark_templates(**environment):
        assert violations_of_restricted(pod) == []
        context = pod["spec"]["securityContext"]
        assert context.get("runAsUser") == (5000 if "KERNEL_UID" in environment else None)
        assert context.get("runAsGroup") == (6000 if "KERNEL_GID" in environment else None)


def test_spark_images_that_work_only_as_root() -> None:
    for pod in spark_templates(KERNEL_RUN_AS_ROOT="true", KERNEL_UID="5000"):
        assert violations_of_restricted(pod) == ["runAsNonRoot", "drop"]
        assert "runAsUser" not in pod["spec"]["securityContext"]


OWNER = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": f"ada-{ID}", "uid": "u1"}}
REFERENCE = {"apiVersion": "v1", "kind": "Pod", "name": f"ada-{ID}", "uid": "u1"}


def test_the_secret_of_a_launch() -> None:
    assert make_files(KERNEL, OWNER, {"start.json": b"{}"}) == {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": FILES_NAME,
            "namespace": "fleet",
            "labels": LABELS,
            "ownerReferences": [REFERENCE],
        },
        "type": "Opaque",
        "immutable": True,
        "data": {"start.json": "e30="},
    }


def test_what_else_a_template_makes() -> None:
    template = {"kind": "ConfigMap", "metadata": {"name": "c", "labels": {"team": "x"}}}
    assert make_extra({**template, "data": {"a": "b"}}, KERNEL, OWNER) == {
        "kind": "ConfigMap",
        "metadata": {
            "name": "c",
            "namespace": "fleet",
            "labels": {"team": "x", **LABELS},
            "ownerReferences": [REFERENCE],
        },
        "data": {"a": "b"},
    }
    # A claim holds people's data: nothing that removes a kernel's objects may find it.
    claim = {"kind": "PersistentVolumeClaim", "metadata": {"name": "c"}}
    assert make_extra(claim, KERNEL, OWNER) == {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "c", "namespace": "fleet"},
    }
    with pytest.raises(LaunchFailed, match="makes a PersistentVolume: "):
        make_extra({"kind": "PersistentVolume"}, KERNEL, OWNER)


def test_a_namespace_of_its_own() -> None:
    assert make_namespace(KERNEL) == {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": "fleet", "labels": LABELS},
    }
    assert make_role_binding(KERNEL, "kernel-controller", "kernels") == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "kernel-controller", "namespace": "fleet", "labels": LABELS},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": "kernel-controller",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "kernels", "namespace": "fleet"}],
    }


@pytest.mark.parametrize(
    "evil",
    [
        'x"\nhostNetwork: true',
        "x\n---\nkind: Secret",
        "{{ 7 * 7 }}",
        "a: b",
        "- x",
        "&a *a",
        "\U0001f600\u2028\x85\x7f",
    ],
)
def test_what_a_client_says_stays_one_value(evil: str) -> None:
    variables = template_variables({**ENVIRONMENT, "KERNEL_IMAGE": evil})
    documents = render(SPECS / "python_kubernetes" / "kernel-pod.yaml.j2", variables)
    assert len(documents) == 1
    assert documents[0]["spec"]["containers"][0]["image"] == evil
    assert "hostNetwork" not in documents[0]["spec"]


def test_templates_that_make_no_manifest(tmp_path: Path) -> None:
    template = tmp_path / "t.j2"
    for text in ("{% if %}", "a: [", "just: this", "{{ kernel_uid | int + [] }}"):
        template.write_text(text)
        with pytest.raises(LaunchFailed, match=r"t\.j2 makes"):
            render(template, {})
    with pytest.raises(LaunchFailed, match="KERNEL_VOLUMES must be a list of mappings"):
        template_variables({"KERNEL_VOLUMES": "no"})
    for pod in ({}, {"spec": {}}, {"spec": {"containers": []}}):
        with pytest.raises(LaunchFailed, match="template's Pod has no"):
            make_pod(pod, KERNEL, "python")
    with pytest.raises(LaunchFailed, match="has no driver"):
        make_spark_application({"spec": {}}, KERNEL)


def test_a_template_is_found_where_enterprise_gateway_has_it(tmp_path: Path) -> None:
    spec = {"resource_dir": str(tmp_path)}
    with pytest.raises(KernelspecUnusable, match="has no template") as unusable:
        find_template(spec, {}, "kernel-pod.yaml.j2")
    assert str(tmp_path) not in str(unusable.value)
    with pytest.raises(LaunchFailed, match=r"x\.j2 makes no valid") as failed:
        render(tmp_path / "x.j2", {})
    assert str(tmp_path) not in str(failed.value)
    (tmp_path / "scripts").mkdir()
    stock = tmp_path / "scripts" / "kernel-pod.yaml.j2"
    stock.touch()
    assert find_template(spec, {}, "kernel-pod.yaml.j2") == stock
    ours = tmp_path / "kernel-pod.yaml.j2"
    ours.touch()
    assert find_template(spec, {}, "kernel-pod.yaml.j2") == ours
    (tmp_path / "big.j2").touch()
    assert find_template(spec, {"template": "big.j2"}, "kernel-pod.yaml.j2").name == "big.j2"


@pytest.mark.parametrize(
    ("username", "template", "variables", "longest", "name"),
    [
        ("ada", "", {}, 63, f"ada-{ID}"),
        ("Ada.L@x.org", "", {}, 63, f"ada-l-x-org-{ID}"),
        ("a" * 99, "", {}, 63, f"{'a' * 26}-{ID}"),
        ("ada", "", {}, 50, f"ada-{ID}"),
        ("a-very-long-name", "", {}, 50, f"a-very-long-n-{ID}"),
        ("42", "", {}, 63, f"k42-{ID}"),
        (
            "ada",
            "{{ kernel_name }}-{{kernel_id}}",
            {"kernel_name": "Py", "kernel_id": ID},
            63,
            f"py-{ID}",
        ),
        # What it does not know it does not guess, and expressions are none.
        ("ada", "{{ kernel_nothing }}", {}, 63, f"ada-{ID}"),
        ("ada", "{{ kernel_id.__class__ }}", {"kernel_id": ID}, 63, f"ada-{ID}"),
    ],
)
def test_names(
    username: str, template: str, variables: dict[str, Any], longest: int, name: str
) -> None:
    assert kernel_object_name(ID, username, template, variables, longest) == name
    assert len(name) <= longest
