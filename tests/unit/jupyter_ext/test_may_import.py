"""The contract `may_import` refuses every import that it does not name."""

import pytest
from grimp import ImportGraph

from tests.imports.may_import import MayImportContract


@pytest.mark.parametrize(
    ("imported", "kept"),
    [
        ("ours.room.other", True),
        ("ours.friend.part", True),
        ("asyncio", True),
        ("tornado", True),
        ("ours.stranger", False),
        ("ours.friendly", False),
        ("sqlalchemy", False),
    ],
)
def test_only_what_is_named_may_be_imported(imported: str, kept: bool) -> None:
    graph = ImportGraph()
    for module in ("ours.room", "ours.room.one", "ours.friend", imported):
        graph.add_module(module, is_squashed="." not in module)
    graph.add_import(
        importer="ours.room.one", imported=imported, line_number=3, line_contents="import …"
    )
    contract = MayImportContract(
        name="room",
        session_options={"root_packages": ["ours"]},
        contract_options={
            "modules": "ours.room",
            "project": ["ours.friend"],
            "packages": ["tornado"],
        },
    )
    assert contract.check(graph, verbose=False).kept is kept


def test_a_folder_that_is_gone_is_no_silent_pass() -> None:
    contract = MayImportContract(
        name="room",
        session_options={"root_packages": ["ours"]},
        contract_options={"modules": "ours.room"},
    )
    with pytest.raises(ValueError, match=r"ours\.room"):
        contract.check(ImportGraph(), verbose=False)
