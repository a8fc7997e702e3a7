import os

from jupyter_ext.fleet.log_file import open_log, rename_long, rotate


def test_a_writer_goes_on_in_a_log_that_was_shortened(tmp_path):
    file = tmp_path / "lab-1.log"
    log = open_log(file)
    os.write(log, b"x" * 100)
    assert not rotate(file, most_bytes=100)
    os.write(log, b"y")
    assert rotate(file, most_bytes=100)
    os.write(log, b"z")
    os.close(log)
    assert file.read_bytes() == b"z"
    assert (tmp_path / "lab-1.log.1").read_bytes() == b"x" * 100 + b"y"
    assert (tmp_path / "lab-1.log.1").stat().st_mode & 0o777 == 0o600


def test_only_some_older_parts_are_kept(tmp_path):
    file = tmp_path / "lab-1.log"
    for number in range(6):
        file.write_text(f"{number}")
        rotate(file, most_bytes=0, older=3)
    assert [(tmp_path / f"lab-1.log.{n}").read_text() for n in (1, 2, 3)] == ["5", "4", "3"]
    assert len(list(tmp_path.iterdir())) == 4


def test_a_log_that_does_not_exist_is_no_error(tmp_path):
    assert not rotate(tmp_path / "none.log")
    assert not rename_long(tmp_path / "none.log", 1, 1)


def test_an_audit_is_renamed_and_loses_nothing(tmp_path):
    file = tmp_path / "lab-1.jsonl"
    for number in range(4):
        file.write_text(f"{number}")
        assert not rename_long(file, most_bytes=1, older=2)
        assert rename_long(file, most_bytes=0, older=2)
        assert not file.exists()
    assert [(tmp_path / f"lab-1.jsonl.{n}").read_text() for n in (1, 2)] == ["3", "2"]
