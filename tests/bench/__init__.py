"""Measurements of ours and of peers, side by side in one run: `python -m tests.bench`.

A row is a module in `rows/` with a function `run(bench) -> Table`; there is no list to add it to.
Contestants are processes that answer over HTTP, so that each can have its own interpreter.
"""
