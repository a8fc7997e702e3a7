"""Fixtures that every test may use: the real servers, and `async def` tests."""

from importlib.util import find_spec

# The environments differ: a kernel's has neither jupyter_server nor a database driver.
pytest_plugins = [
    "pytest_jupyter.jupyter_server"
    if find_spec("jupyter_server")
    else "pytest_jupyter.jupyter_core",
    "tests.servers.seaweedfs",
    *(["tests.servers.mariadb"] if find_spec("pymysql") else []),
]
