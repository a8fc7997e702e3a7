"""Sessions of all labs in SQL, and the promise that one notebook has one kernel.

`paths`, `patch` and `models` only compute, `tables` and `store` hold all SQL, `manager` carries out
what Jupyter asks for with the help of the kernel manager, `sweep` what labs that died left undone,
`handlers` says it in HTTP. Nothing here may import contents, and no function may take a gateway's
silence for a kernel's death.
"""
