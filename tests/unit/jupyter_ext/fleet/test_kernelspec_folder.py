"""Which folders of kernelspecs `up` accepts."""

from pathlib import Path

import pytest

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kernelspec_folder import check_kernelspecs

CLUSTERS = Path(__file__).parents[4] / "kernelspecs" / "clusters"


def add(folder: Path, name: str, content: str = '{"argv": ["x"]}') -> None:
    (folder / name).mkdir()
    (folder / name / "kernel.json").write_text(content)


def test_the_shipped_ones_for_clusters_are_accepted() -> None:
    assert "python_kubernetes" in check_kernelspecs(str(CLUSTERS))


def test_other_files_in_the_folder_do_no_harm(tmp_path: Path) -> None:
    add(tmp_path, "mine")
    (tmp_path / "README").touch()
    (tmp_path / "notes").mkdir()
    assert check_kernelspecs(str(tmp_path)) == ["mine"]


def test_a_folder_without_kernelspecs(tmp_path: Path) -> None:
    with pytest.raises(FleetError, match="has no kernelspec: each is a folder"):
        check_kernelspecs(str(tmp_path))
    with pytest.raises(FleetError, match="nowhere cannot be read"):
        check_kernelspecs(str(tmp_path / "nowhere"))


def test_a_kernelspec_itself_is_not_the_folder(tmp_path: Path) -> None:
    add(tmp_path, "mine")
    with pytest.raises(FleetError, match="is itself a kernelspec"):
        check_kernelspecs(str(tmp_path / "mine"))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("mine", "{", "is not JSON"),
        ("mine", "[]", "has no argv"),
        ("mine", '{"argv": "python"}', "has no argv"),
        ("my kernel", '{"argv": []}', "is not the name of a kernelspec"),
    ],
)
def test_a_kernelspec_that_gateways_would_leave_out_is_named(
    tmp_path: Path, name: str, content: str, words: str
) -> None:
    add(tmp_path, name, content)
    with pytest.raises(FleetError, match=f"--kernelspecs: .*{name}.* {words}"):
        check_kernelspecs(str(tmp_path))
