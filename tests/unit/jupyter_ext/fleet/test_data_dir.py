from pathlib import Path

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError


def test_folders_are_private(tmp_path):
    data_dir = DataDir.at(tmp_path / "a" / "b")
    data_dir.create()
    for folder in (data_dir.root, data_dir.secrets, data_dir.store, data_dir.logs):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_data_directory_that_others_can_read_is_closed(tmp_path):
    (tmp_path / "d").mkdir(mode=0o755)
    data_dir = DataDir.at(tmp_path / "d")
    data_dir.create()
    assert data_dir.root.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["with blank", 'quo"te', "semi;colon", "per%cent", "new\nline"])
def test_a_path_that_programs_would_misread_is_refused(tmp_path, name):
    with pytest.raises(FleetError, match="has blanks or special characters"):
        DataDir.at(tmp_path / name)


def test_a_path_too_long_for_a_socket_is_refused(tmp_path):
    with pytest.raises(FleetError, match=r"too long.*--data-dir"):
        DataDir.at(tmp_path / ("x" * 100))


def test_a_file_in_the_way_is_said(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FleetError, match=r"cannot be created.*--data-dir"):
        DataDir.at(tmp_path / "file" / "d").create()


def test_one_command_at_a_time(tmp_path):
    data_dir = DataDir.at(tmp_path)
    with (
        data_dir.locked(),
        pytest.raises(FleetError, match="another `jupyter fleet` command"),
        data_dir.locked(),
    ):
        pytest.fail("two commands held the lock")
    with data_dir.locked():
        pass


def test_two_data_directories_have_two_kernel_folders(tmp_path):
    assert DataDir.at(tmp_path / "a").kernels != DataDir.at(tmp_path / "b").kernels


def test_kernels_of_two_data_directories_have_other_user_ids():
    first, second = DataDir(Path("/a")).first_uid, DataDir(Path("/b")).first_uid
    assert abs(first - second) >= 1000
    assert all(200_000 <= uid < 4_200_000 and uid % 1000 == 0 for uid in (first, second))
    assert DataDir(Path("/a")).first_uid == first
