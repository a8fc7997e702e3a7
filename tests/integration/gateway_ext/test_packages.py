"""What people install for their kernels belongs to their project and to its kernels alone."""

import json
import os

import psutil
import pytest

from gateway_ext.process_proxies.fork_servers import MODULE
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, agents_of

TRAPS = """
import json, os, sys
from pathlib import Path
folder = Path(os.environ["FLEET_PACKAGES"])
packages = folder / "lib" / "python{}.{}".format(*sys.version_info) / "site-packages"
note = "import os; at = (os.stat('/proc/self/ns/pid').st_ino, os.getpid()); "
note += "open(%r, 'a').write('%%d:%%d ' %% at)" % str(folder / "seen")
for name in ("tornado", "zmq", "jupyter_client", "usercustomize", "sitecustomize", "argparse"):
    (packages / f"{name}.pth").write_text(note)
    (packages / f"{name}.py").write_text("raise SystemExit")
home = Path.home() / ".local/lib/python{}.{}/site-packages".format(*sys.version_info)
home.mkdir(parents=True)
(home / "usercustomize.py").write_text("raise SystemExit")
print(folder)
"""
SEEN = "print(json.dumps(list(set(open(os.environ['FLEET_PACKAGES'] + '/seen').read().split()))))"


def test_code_among_a_projects_packages_runs_in_kernels_and_in_no_agent_or_fork_server(
    gateways: Gateways,
) -> None:
    client = gateways.client()
    first = gateways.start_kernel(0, name="python3")
    model = client.call("GET", f"{gateways.urls[0]}/api/kernels/{first}").json()
    assert model["name"] == "python"
    with client.channels(gateways.urls[0], first) as channels:
        folder = channels.run(TRAPS).strip()
    second = gateways.start_kernel(0)
    with client.channels(gateways.urls[0], second) as channels:
        look = f"import os; print(os.path.exists({folder + '/seen'!r}))"
        assert channels.run(look) == "False\n", "nobody has asked for it"
        channels.run("import subprocess, sys; subprocess.run([sys.executable, '-c', '']); None")
        seen = set(json.loads(channels.run(f"import json, os; {SEEN}")))
    try:
        assert seen
        (agent,) = agents_of(second)
        server = psutil.Process(agent).ppid()
        assert MODULE in psutil.Process(server).cmdline()
        namespaces = {pid: os.stat(f"/proc/{pid}/ns/pid").st_ino for pid in (agent, server)}
        assert not seen & {f"{namespaces[pid]}:{pid}" for pid in (agent, server)}
        # Nor what lies in the project's folder, where their Python would look first.
        assert {psutil.Process(pid).cwd() for pid in (agent, server)} == {"/"}
        assert folder == str(gateways.directory / "k" / "packages" / "demo")
    finally:
        with client.channels(gateways.urls[0], second) as channels:
            channels.run(f"!rm -r {folder}/lib ~/.local")
        for kernel_id in (first, second):
            client.call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give kernels other user ids")
def test_another_project_has_other_packages_and_cannot_read_these(gateways: Gateways) -> None:
    client = gateways.client(demo="owner", other="owner")
    folders = {}
    for project in ("demo", "other"):
        answer = client.call("POST", f"{gateways.urls[0]}/api/kernels", json={"project": project})
        kernel_id = answer.json()["id"]
        with client.channels(gateways.urls[0], kernel_id) as channels:
            folders[project] = channels.run(
                "import os; print(os.environ['FLEET_PACKAGES'])"
            ).strip()
            if project == "other":
                ask = f"!ls {folders['demo']}; touch {folders['demo']}/../x; touch /usr/x"
                said = channels.run(ask)
                # Within walls, what is another project's is not even there.
                assert said.count("Permission denied") + said.count("No such file") == 3
        client.call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")
    assert folders["demo"] != folders["other"]
