"""How a lab reaches the kernels that gateways own: messages, streams, managers, kernel specs.

`json_messages` and `stream` need tornado alone and are used by gateways too, so importing this
package imports nothing. No module here may keep kernel state that another lab could not find again.
"""
