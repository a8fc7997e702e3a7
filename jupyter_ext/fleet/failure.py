"""The one kind of error that `jupyter fleet` reports as a line."""


class FleetError(Exception):
    """Why the command cannot do what was asked, in one line that ends with what to do."""
