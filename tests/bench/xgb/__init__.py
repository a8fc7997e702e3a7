"""Contestants of the `xgb_*` rows: each is one process in the kernel environment with `xgb-ray`.

Nothing here is imported by the rows, which run in another environment: they start
`python -m tests.bench.xgb.contestant NAME JSON` and read a line of JSON.
"""
