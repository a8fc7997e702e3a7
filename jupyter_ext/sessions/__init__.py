"""Sessions of all labs in SQL, and the guarantee that each notebook has one kernel.

`paths`, `patch` and `models` have no side effects, `tables` and `store` have all SQL. `manager` is
Jupyter's session manager and uses the kernel manager, `sweep` finishes what dead labs left undone,
`handlers` has the HTTP routes. Nothing here may import contents, and no function may treat a kernel
as dead because a gateway does not answer.
"""
