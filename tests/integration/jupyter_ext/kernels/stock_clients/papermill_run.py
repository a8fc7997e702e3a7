"""Runs a notebook of one cell with papermill and its parameters, whose kernel is at a server.
Arguments: the server's URL, a token, the kernelspec, the cell's code, the parameters as JSON, a
folder for the notebooks. Prints the outputs of that cell as JSON, or the error."""

import json
import sys
from pathlib import Path

import nbformat
import papermill
from jupyter_server.gateway.managers import GatewayKernelManager
from lab_kernels import connect


class NamedKernelManager(GatewayKernelManager):
    """papermill tells the manager the kernelspec, jupyter_server expects it with the start."""

    async def start_kernel(self, **arguments):
        return await super().start_kernel(**{"kernel_name": self.kernel_name, **arguments})


url, token, kernel_name, code, parameters, folder = sys.argv[1:]
connect(url, token)
parameters_cell = nbformat.v4.new_code_cell("factor = 1", metadata={"tags": ["parameters"]})
notebook = nbformat.v4.new_notebook(
    cells=[parameters_cell, nbformat.v4.new_code_cell(code)],
    metadata={
        "kernelspec": {"name": kernel_name, "display_name": kernel_name, "language": "python"}
    },
)
template = Path(folder) / "template.ipynb"
nbformat.write(notebook, template)
try:
    run = papermill.execute_notebook(
        template,
        Path(folder) / "run.ipynb",
        json.loads(parameters),
        kernel_name=kernel_name,
        kernel_manager_class=NamedKernelManager,
        progress_bar=False,
    )
except Exception as error:
    print(json.dumps({"error": str(error)}))
else:
    print(json.dumps({"outputs": run.cells[-1].outputs}))
