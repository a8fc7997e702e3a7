"""Files and notebooks: names and versions in SQL, bodies in an object store.

- `manager` is Jupyter's contents manager: it runs hooks, sends events, and is the only module that
  turns `errors` into HTTP errors (`http_errors`). `handlers` and `export_handler` replace stock
  handlers.
- `reading`, `saving`, `chunked_saving`, `free_names` and `versions` each implement one action of
  users, with `storage` (database and object store), `body_threads` and `signing`.
- `tree`, `kept_versions` and `uploads` have all SQL, `tables` its tables; `bucket` makes all calls
  to the store.
- `permissions` decides who may open a path. It has no side effects; nor do `paths`, `names`,
  `bodies`, `models`, `notary` and `widget_state`.

Whether a version was saved whole or in chunks, copied or restored, `Saving.publish` makes it
current.

Nothing here knows kernels or sessions, and only the manager and the handlers know HTTP. No function
keeps state between two requests, because the next one may go to another lab.
"""
