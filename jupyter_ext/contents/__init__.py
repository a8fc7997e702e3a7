"""Files and notebooks: names and versions in SQL, bodies in an object store.

- `manager` is what Jupyter asks: it runs hooks, sends events, and is the only one that turns
  `errors` into HTTP errors (`http_errors`). `handlers` and `export_handler` are what HTTP needs
  beyond the stock handlers.
- `reading`, `saving`, `chunked_saving`, `free_names` and `versions` each carry out one thing, by
  way of `storage` (database and object store), `body_threads` and `signing`.
- `tree` and `uploads` hold all SQL, `tables` its tables; `bucket` all calls of the object store.
- `permissions` decides who may open a path. It only computes, as do `paths`, `names`, `bodies`,
  `models`, `notary` and `widget_state`.

The cut follows what users do. However a version comes about (saved whole or in chunks, copied,
restored), `Saving.publish` makes it current.

Nothing here knows kernels or sessions, and only the manager and the handlers know HTTP. No function
keeps state between two requests: the next one may reach another lab.
"""
