"""Real servers that tests and benchmarks start: MariaDB and SeaweedFS.

Each module has a plain function (`start_mariadb(directory)`, `start_seaweedfs(directory)`) and
pytest fixtures around it. Usable from the lab's and from the gateway's environment: nothing here
imports `jupyter_ext` or `gateway_ext`.
"""
