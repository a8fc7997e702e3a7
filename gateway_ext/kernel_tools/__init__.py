"""What people use in their kernels: magics.

Runs in the kernel's environment and may import nothing else of ours but the names that agents
give to variables (`gateway_ext.agent.package_site`).
"""
