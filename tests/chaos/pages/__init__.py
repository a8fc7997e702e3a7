"""A person's page while processes die: this project, stock JupyterLab with Enterprise Gateway, and
jupyter-server-nbmodel go through the same script. `python -m tests.chaos.pages`."""
