"""The gateway's interface for clients and agents: REST calls, websockets, and authorization.

`handlers` call the manager, the manager calls `lifecycle`, and that sends commands over the links
in `agents`. No SQL here (`gateway_ext.ownership`). How an agent is started, checked and ended is in
`gateway_ext.process_proxies`, which `lifecycle` calls.
"""
