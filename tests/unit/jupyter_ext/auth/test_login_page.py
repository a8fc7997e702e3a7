"""What the page of signing in says."""

from jupyter_ext.auth.login_page import token_form, used_link


def test_what_is_wrong_with_a_token_is_a_sentence_and_no_html() -> None:
    form = token_form("this <token> has expired", "/login", '/lab?"')
    assert ">This &lt;token&gt; has expired</p>" in form
    assert 'value="/lab?&quot;"' in form
    assert 'role="alert"></p>' in token_form("", "/login", "")


def test_a_link_that_signs_nobody_in_says_where_there_is_another_one() -> None:
    fleet, platform = used_link(at_platform=False), used_link(at_platform=True)
    assert "whoever runs this fleet (`jupyter fleet login-link NAME` prints one)" in fleet
    # The page's link to the platform stands above.
    assert "sign in at your platform" in platform
    assert "login-link" not in platform
