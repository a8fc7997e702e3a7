"""A training: its options, its driver, and what the driver decides when workers are lost.

The controller acts; `scaling`, `failures`, `assignment` and `phases` decide and know no Ray.
"""
