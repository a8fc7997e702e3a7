"""The gateway's interface for clients and agents: REST calls, websockets, and authorization.

No SQL here (`gateway_ext.ownership`). How an agent is started, looked at and ended is in
`gateway_ext.process_proxies`, which the managers here call.
"""
