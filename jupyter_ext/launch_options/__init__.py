"""Launch options: what whoever starts a kernel may choose (image, sizes, queue, environment …).

A kernelspec declares them in `metadata.fleet.launch_options` as a JSON Schema (`declaration`), and
an operator narrows them for each project (`policy`). Both together are the schema of a project's
starts (`effective`), by which a start is checked (`check`).

Labs and gateways use this; it needs jsonschema and RE2, and nothing of Jupyter.
"""
