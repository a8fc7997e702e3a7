import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.leftovers import belongs

D = DataDir.at("/d")


@pytest.mark.parametrize(
    "arguments",
    [
        ["/e/python", "-m", "jupyterlab", "--config=/d/config/lab-1/jupyter_server_config.json"],
        ["/e/python", "/e/jupyter-fleet-gateway", "--config=/d/config/gateway-1/x.json"],
        ["nginx", "-e", "stderr", "-p", "/d/front", "-c", "/d/config/nginx.conf", ""],
        ["weed", "server", "-dir=/d/store", "-s3"],
    ],
)
def test_programs_of_the_fleet_belong_to_it(arguments):
    assert belongs(arguments, D)


@pytest.mark.parametrize(
    "arguments",
    [
        ["/e/python", "-m", "jupyterlab", "--config=/d2/config/lab-1/jupyter_server_config.json"],
        ["weed", "server", "-dir=/d/store2"],
        ["/k/python", "-m", "gateway_ext.agent"],
        ["/k/python", "-m", "ipykernel_launcher", "-f", "/d/kernels/demo/1/connection.json"],
        ["vim", "/d/config/nginx.conf"],
        ["python", "jupyter-fleet", "up", "--data-dir", "/d"],
        [""],
    ],
)
def test_others_do_not(arguments):
    assert not belongs(arguments, D)
