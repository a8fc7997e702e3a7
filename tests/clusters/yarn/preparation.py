"""What YARN needs from this machine before a run."""

from tests.clusters.yarn.jars import jars_folder


def prepare(deadline: float) -> None:
    """Downloads what is missing until `deadline` (seconds of time.monotonic()).

    Raises UnavailableError, OutOfTimeError, BuildError.
    """
    jars_folder(deadline)
