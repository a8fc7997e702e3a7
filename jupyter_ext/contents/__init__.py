"""Files and notebooks: names and versions in SQL, bodies in an object store.

`tree` and `uploads` hold all SQL, `bucket` all calls of the store; `paths`, `bodies`, `models` and
`names` only compute. `manager` carries out what Jupyter asks for, `handlers` what HTTP needs beyond
the stock handlers. Nothing here knows kernels or sessions, and no function keeps state between two
requests: the next one may reach another lab.
"""
