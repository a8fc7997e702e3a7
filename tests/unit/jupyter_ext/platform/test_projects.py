import pytest

from jupyter_ext.platform.projects import (
    ProjectNameError,
    ProjectPathError,
    check_project_name,
    split_path,
)


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", ("", "")),
        ("/", ("", "")),
        ("demo", ("demo", "")),
        ("/demo/", ("demo", "")),
        ("demo/dir/nb.ipynb", ("demo", "dir/nb.ipynb")),
        ("/demo//dir/nb.ipynb/", ("demo", "dir/nb.ipynb")),
        ("demo/…/a b.txt", ("demo", "…/a b.txt")),
    ],
)
def test_a_path_is_split_at_its_project(path, parts):
    assert split_path(path) == parts


@pytest.mark.parametrize("path", ["demo/../other/nb", "../etc/passwd", "demo/.", "demo/a\0b"])
def test_a_path_that_leads_elsewhere_is_refused(path):
    with pytest.raises(ProjectPathError):
        split_path(path)


@pytest.mark.parametrize("name", ["Demo", "a.b", "-a", "_a", "", "a" * 64, "demo\n", "dé", "a b"])
def test_a_bad_project_name_is_refused(name):
    with pytest.raises(ProjectNameError, match="lower-case"):
        check_project_name(name)


@pytest.mark.parametrize("name", ["a", "9", "team-a_1", "a" * 63])
def test_a_good_project_name_is_kept(name):
    assert check_project_name(name) == name
