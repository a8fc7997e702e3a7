"""One run of spark-submit, of which a shell does the work here."""

import asyncio
import stat
from pathlib import Path

import pytest

from gateway_ext.process_proxies.submit_run import SubmitRun


def begun(folder: Path, script: str) -> SubmitRun:
    run = SubmitRun(folder / "submit" / "0123")
    run.write({"start.json": b"the key"})
    assert run.begin(["sh", "-c", script], {"PATH": "/usr/bin:/bin"}) > 1
    return run


def test_its_files_are_for_this_user_only_and_what_it_prints_is_kept(tmp_path: Path) -> None:
    run = begun(tmp_path, "cat start.json; echo later >&2; exit 3")
    assert asyncio.run(run.ended(30.0)) == 3
    assert run.log.read_text() == "the keylater\n"
    for path, mode in ((run.folder, 0o700), (run.folder / "start.json", 0o600)):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_a_run_that_takes_too_long_is_ended_with_what_it_has_started(tmp_path: Path) -> None:
    run = begun(tmp_path, "sleep 600 & sleep 600")
    assert asyncio.run(run.ended(0.0)) is None
    assert run.runs
    run.end()
    assert not run.runs
    assert asyncio.run(run.ended(30.0)) == -9
    # Once more does no harm.
    run.end()


def test_its_files_stay_until_it_has_read_them(tmp_path: Path) -> None:
    """A launch that is canceled here may go on at another gateway."""

    async def scenario() -> None:
        run = begun(tmp_path, "until [ -e ../go ]; do sleep 0.05; done; cp start.json ../read")
        leaving = asyncio.ensure_future(run.leave(30.0))
        await asyncio.wait({leaving}, timeout=0.3)
        assert (run.folder / "start.json").exists()
        (run.folder.parent / "go").touch()
        await leaving
        assert (run.folder.parent / "read").read_bytes() == b"the key"
        assert not run.folder.exists()

    asyncio.run(scenario())


def test_the_files_of_a_run_that_never_ends_do_not_stay(tmp_path: Path) -> None:
    run = begun(tmp_path, "sleep 600")
    asyncio.run(run.leave(0.0))
    assert (run.runs, run.folder.exists()) == (False, False)


def test_a_program_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    run = SubmitRun(tmp_path / "0123")
    run.write({})
    with pytest.raises(OSError, match="no-such-program"):
        run.begin([str(tmp_path / "no-such-program")], {})
    assert asyncio.run(run.ended(30.0)) is None
    asyncio.run(run.leave(30.0))
    assert not run.folder.exists()
