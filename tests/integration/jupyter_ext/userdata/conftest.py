"""The labs of the tests of logins do for settings as well."""

from tests.integration.jupyter_ext.auth.conftest import bare_labs

__all__ = ["bare_labs"]
