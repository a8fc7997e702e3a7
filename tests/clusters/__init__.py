"""Real clusters for tests. `make test-clusters` runs them; nothing else collects this folder.

- A folder for each cluster: its recipe (what is downloaded and built), how it is started, its
  tests. What is built lies outside the checkout (`recipe_cache`).
- `__main__` prepares each cluster that has a `preparation` module, with a function
  `prepare(deadline)` that may raise what `recipe_cache` lists, and runs pytest in namespaces of its
  own (`inside`). Where a cluster cannot be had, its tests are skipped with the reason.
- In those namespaces everything shares one network: gateways and API servers listen at
  `inside.ADDRESS`, on the bridge to which pods are connected, so that all reach each other. Nothing
  reaches the machine's network. With the first process the kernel ends every other one, and
  removes every mount and device. Only control groups and folders have to be removed by hand
  (`left_over`).
"""
