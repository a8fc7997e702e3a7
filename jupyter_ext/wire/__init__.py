"""What labs, gateways and agents must agree on (docs/protocols.md): frames, kernel messages,
proofs, close codes and reasons, the names of headers and routes, which walls kernels may have, what
they may reach, and what of a machine is private.

The standard library only, and nothing else of this project: agents import this package in the
kernel's environment. Where that environment has no copy of it, in pods and YARN containers,
`gateway_ext.process_proxies.agent_bundle` brings it along.
"""
