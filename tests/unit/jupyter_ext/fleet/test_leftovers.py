import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.leftovers import Leftover, first_of_each, program_of

D = DataDir.at("/d")


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        (
            "lab-1",
            [
                "/e/python",
                "-m",
                "jupyter_ext",
                "--config=/d/config/lab-1/jupyter_server_config.json",
            ],
        ),
        (
            "gateway-12",
            ["/e/python", "/e/jupyter-fleet-gateway", "--config=/d/config/gateway-12/x.json"],
        ),
        ("front", ["nginx", "-e", "stderr", "-p", "/d/front", "-c", "/d/config/nginx.conf", ""]),
        ("front", ["nginx: master process /usr/sbin/nginx -p /d/front -c /d/config/nginx.conf"]),
        (
            "front-kernels",
            ["nginx: master process /usr/sbin/nginx -p /d/front -c /d/config/nginx-kernels.conf"],
        ),
        ("store", ["weed", "server", "-dir=/d/store", "-s3"]),
    ],
)
def test_programs_of_the_fleet_belong_to_it(name, arguments):
    assert program_of(arguments, D) == name


@pytest.mark.parametrize(
    "arguments",
    [
        ["/e/python", "-m", "jupyter_ext", "--config=/d2/config/lab-1/jupyter_server_config.json"],
        ["weed", "server", "-dir=/d/store2"],
        ["/k/python", "-m", "gateway_ext.agent"],
        ["/k/python", "-m", "ipykernel_launcher", "-f", "/d/kernels/demo/1/connection.json"],
        ["vim", "/d/config/nginx.conf"],
        ["nginx: master process /usr/sbin/nginx -c /d2/config/nginx.conf"],
        ["python", "jupyter-fleet", "up", "--data-dir", "/d"],
        [""],
    ],
)
def test_others_do_not(arguments):
    assert program_of(arguments, D) is None


def test_a_child_that_looks_like_its_parent_is_not_adopted():
    lab = Leftover(pid=10, parent=1, started=100, name="lab-1")
    child = Leftover(pid=11, parent=10, started=200, name="lab-1")
    other = Leftover(pid=12, parent=10, started=300, name="lab-2")
    found = first_of_each([child, other, lab])
    assert found == {"lab-1": lab, "lab-2": other}


def test_of_two_processes_of_one_program_the_older_one_counts():
    older = Leftover(pid=20, parent=1, started=100, name="lab-1")
    newer = Leftover(pid=10, parent=1, started=200, name="lab-1")
    assert first_of_each([older, newer]) == {"lab-1": older} == first_of_each([newer, older])
