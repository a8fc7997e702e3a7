"""All SQL of sessions and of their kernels. Every function is one step of a transaction.

The layers are `document_kernels`, which the others use, then `session_rows` and `started_kernels`,
then `personal_rows`, `starts` and `endings`, then `moves`. `leases` is independent. Nothing here
acts on a kernel.
"""
