"""Kernels as clients and agents see them: REST calls, websockets, and who may use them.

No SQL here (`gateway_ext.ownership`). How an agent is started, looked at and ended is in
`gateway_ext.process_proxies`, which the managers here call.
"""
