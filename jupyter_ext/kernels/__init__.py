"""How a lab reaches the kernels that gateways own: messages, streams, managers, kernel specs.

`json_messages`, `stream` and what these import need only tornado and are used by gateways too, so
importing this package imports nothing else. No module here may keep kernel state that other labs
cannot find.
"""
