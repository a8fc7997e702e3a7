"""Kernels as clients and agents see them: REST calls, websockets, and who may use them.

No SQL here (`gateway_ext.ownership`), and nothing that knows how a kernel's agent is started
(`gateway_ext.process_proxies`).
"""
