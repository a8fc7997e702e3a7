import pytest

from jupyter_ext.platform.roles import Role


@pytest.mark.parametrize(
    ("held", "wanted", "answer"),
    [
        (Role.OWNER, Role.VIEWER, True),
        (Role.OWNER, Role.OWNER, True),
        (Role.EDITOR, Role.VIEWER, True),
        (Role.EDITOR, Role.OWNER, False),
        (Role.VIEWER, Role.EDITOR, False),
    ],
)
def test_a_role_includes_those_before_it(held, wanted, answer):
    assert held.includes(wanted) is answer


def test_a_role_is_its_text():
    assert Role("editor") is Role.EDITOR
    assert f"{Role.EDITOR}" == "editor"
