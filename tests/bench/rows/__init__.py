"""The rows: one module each, with `run(bench) -> Table`."""
