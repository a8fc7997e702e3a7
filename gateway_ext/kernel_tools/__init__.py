"""Magics for users.

They run in the kernel's environment. Of this project they may import only the names of the
environment variables that agents set (`gateway_ext.agent.package_site`).
"""
