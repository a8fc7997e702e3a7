"""What the page of signing in says."""

from jupyter_ext.auth.login_page import token_form


def test_what_is_wrong_with_a_token_is_a_sentence_and_no_html() -> None:
    form = token_form("this <token> has expired", "/login", '/lab?"')
    assert ">This &lt;token&gt; has expired</p>" in form
    assert 'value="/lab?&quot;"' in form
    assert 'role="alert"></p>' in token_form("", "/login", "")
