"""Runs a notebook of one cell with nbclient, whose kernel is at a server: the Jupyter way of tools
such as papermill. Arguments: the server's URL, a token, the kernelspec, the cell's code. Prints the
cell's outputs as JSON, or the error."""

import json
import os
import sys
from functools import partial

import nbformat
import websocket
from jupyter_server.gateway.gateway_client import GatewayClient
from jupyter_server.gateway.managers import GatewayKernelManager
from nbclient import NotebookClient

url, token, kernel_name, code = sys.argv[1:]
client = GatewayClient.instance()
client.url, client.auth_token, client.auth_scheme = url, token, "Bearer"
client.init_connection_args()
# jupyter_server has no setting for the header with which this client's websocket says who it is.
websocket.create_connection = partial(
    websocket.create_connection, header={"Authorization": f"Bearer {token}"}
)
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
manager = GatewayKernelManager(kernel_name=kernel_name)
run = NotebookClient(notebook, kernel_name=kernel_name, timeout=60)
# Not as an argument: then it would leave the kernel running and its websocket open.
run.km = manager
os.environ.setdefault("KERNEL_USERNAME", "somebody else")
try:
    run.execute(kernel_name=kernel_name)
except Exception as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"outputs": notebook.cells[0].outputs}))
