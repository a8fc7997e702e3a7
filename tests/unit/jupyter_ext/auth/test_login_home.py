"""Where a login leads."""

from jupyter_ext.auth.login import home_of
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity


def _identity(*projects: str) -> Identity:
    return Identity(
        user="ada",
        display_name="Ada",
        projects=dict.fromkeys(projects, Role.EDITOR),
        service=None,
        expires=0.0,
        token="",
    )


def test_a_person_with_one_project_begins_inside_it() -> None:
    assert home_of(_identity("demo")) == "lab/tree/demo"


def test_a_person_with_several_projects_chooses() -> None:
    assert home_of(_identity("demo", "other")) == "lab"
    assert home_of(_identity()) == "lab"
