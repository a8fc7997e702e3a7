"""Calls of kernels: what code in a kernel may ask of the fleet, through its agent.

`call_table` lists them all. Each call has a file of its own and acts only as its kernel's project
and runner: the code that asks may be hostile. Nothing of handlers, manager or lifecycle.
"""
