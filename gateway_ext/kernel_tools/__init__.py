"""What people use in their kernels: magics, and calls of the fleet.

They run in the kernel's environment. Of this project they may import only what an agent and its
kernel share: the names of the environment variables that agents set
(`gateway_ext.agent.package_site`), and how calls are written (`gateway_ext.agent.call_lines`).
"""
