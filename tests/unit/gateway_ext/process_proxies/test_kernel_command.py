"""What a container runs, and what of Enterprise Gateway's kernelspecs is understood."""

import subprocess
import sys
from pathlib import Path

import pytest

from gateway_ext.process_proxies.agent_bundle import agent_bundle
from gateway_ext.process_proxies.agent_process import KernelspecUnusable
from gateway_ext.process_proxies.kernel_command import kernel_command
from gateway_ext.process_proxies.stock_names import DEFAULT_PROXY, our_proxy

PYTHON = ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"]
STOCK = "enterprise_gateway.services.processproxies."
LAUNCHER = ["python", "/x/scripts/launch_kubernetes.py", "--RemoteProcessProxy.kernel-id"]


def test_commands() -> None:
    ours = {"argv": ["R", "{connection_file}"], "language": "R"}
    assert kernel_command(ours, {}) == ["R", "{connection_file}"]
    assert kernel_command({"argv": LAUNCHER, "language": "Python"}, {}) == PYTHON
    named = ["Rscript", "{connection_file}"]
    assert kernel_command({"argv": LAUNCHER, "language": "R"}, {"kernel_argv": named}) == named
    with pytest.raises(KernelspecUnusable, match=r"config\.kernel_argv, for example"):
        kernel_command({"argv": LAUNCHER, "language": "scala"}, {})
    with pytest.raises(KernelspecUnusable, match="must be a list"):
        kernel_command(ours, {"kernel_argv": "R"})


@pytest.mark.parametrize(("mode", "starts"), [("lazy", True), ("eager", True), ("none", False)])
def test_a_stock_spark_kernelspec_has_its_session(mode: str, starts: bool) -> None:
    option = "--RemoteProcessProxy.spark-context-initialization-mode"
    spec = {"argv": ["run.sh", option, mode], "language": "python"}
    assert (len(kernel_command(spec, {}, in_spark=True)) > len(PYTHON)) is starts
    assert kernel_command(spec, {}) == PYTHON


def test_class_names_of_enterprise_gateway() -> None:
    ours = "gateway_ext.process_proxies."
    assert our_proxy(f"{STOCK}k8s.KubernetesProcessProxy").startswith(f"{ours}kubernetes_pod.")
    assert our_proxy(f"{STOCK}yarn.YarnClusterProcessProxy") == f"{ours}yarn.YarnAgentProxy"
    spark = our_proxy(f"{STOCK}spark_operator.SparkOperatorProcessProxy")
    assert spark == f"{ours}spark_operator.SparkOperatorAgentProxy"
    assert our_proxy(DEFAULT_PROXY) == DEFAULT_PROXY
    for name in (
        "processproxy.LocalProcessProxy",
        "distributed.DistributedProcessProxy",
        "docker_swarm.DockerSwarmProcessProxy",
        "docker_swarm.DockerProcessProxy",
        "conductor.ConductorClusterProcessProxy",
        "crd.CustomResourceProcessProxy",
    ):
        with pytest.raises(
            KernelspecUnusable, match=r"which starts no agent: .*(gateway_ext|run gateways)"
        ):
            our_proxy(STOCK + name)


def test_the_bundle_is_the_agent(tmp_path: Path) -> None:
    assert agent_bundle() == agent_bundle()
    bundle = tmp_path / "agent.zip"
    bundle.write_bytes(agent_bundle())
    program = (
        "import gateway_ext.agent.program, jupyter_ext.wire.frames as f; print(f.__file__); "
        "import gateway_ext.agent.start_document as d; print(d.__file__); "
        "import gateway_ext.kernel_tools.fleet_calls as c; print(c.__file__); "
        "d.parse_start_document('{}')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(bundle)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == [
        f"{bundle}/jupyter_ext/wire/frames.py",
        f"{bundle}/gateway_ext/agent/start_document.py",
        f"{bundle}/gateway_ext/kernel_tools/fleet_calls.py",
    ]
    assert "StartDocumentError" in done.stderr
