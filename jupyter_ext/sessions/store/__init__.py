"""All SQL of sessions and of their kernels. Every function is one step of a transaction.

`document_kernels` is what the others share; then come `session_rows` and `started_kernels`, then
`starts` and `endings`. `moves` and `leases` stand alone. Nothing here acts on a kernel.
"""
