"""Runs a notebook of one cell with nbclient, whose kernel is at a server. Arguments: the server's
URL, a token, the kernelspec, the cell's code. Prints the cell's outputs as JSON, or the error."""

import json
import sys

import nbformat
from jupyter_server.gateway.managers import GatewayKernelManager
from lab_kernels import connect
from nbclient import NotebookClient

url, token, kernel_name, code = sys.argv[1:]
connect(url, token)
notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
manager = GatewayKernelManager(kernel_name=kernel_name)
run = NotebookClient(notebook, kernel_name=kernel_name, timeout=60)
# Not as an argument: then it would leave the kernel running and its websocket open.
run.km = manager
try:
    run.execute(kernel_name=kernel_name)
except Exception as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"outputs": notebook.cells[0].outputs}))
