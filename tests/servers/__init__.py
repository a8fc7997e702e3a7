"""Servers that tests and benchmarks start: MariaDB and SeaweedFS, which are real, and clusters.

Of Kubernetes and YARN there is none on this machine: their interfaces are scripted
(`kubernetes_api`, `yarn_resource_manager`), the containers that they start are real processes.

Each module has a plain function (`start_mariadb(directory)`, `start_seaweedfs(directory)`) and
pytest fixtures around it. Usable from the lab's and from the gateway's environment: nothing here
imports `jupyter_ext` or `gateway_ext`.
"""
