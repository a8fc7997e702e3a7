"""Walls around a kernel: what its code sees of the machine, and which system calls it has.

The agent stays outside, the kernel goes in: its processes are in namespaces of their own, whose
first process (`first_process`) is ours, lets go of every right, and ends when the agent or the
kernel ends. `places` decides what is hidden, `filter` which system calls are refused; the other
files do it. The standard library alone: the gateway uses `places` and `landlock` as well.
"""
