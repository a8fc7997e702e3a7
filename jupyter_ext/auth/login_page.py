"""The pages of signing in and out."""

from tornado.escape import xhtml_escape

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Jupyter Fleet: {title}</title>
  <style>
    :root {{ color-scheme: light dark; }}
    body {{ font: 16px system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; }}
    input {{ width: 100%; box-sizing: border-box; font: inherit; padding: .4rem; }}
    button {{ font: inherit; padding: .4rem 1.2rem; margin-top: .6rem; }}
    .problem {{ color: light-dark(#b00020, #ff8a80); }}
  </style>
</head>
<body>
{body}
</body>
</html>
"""

_FORM = """
  <h1>Sign in</h1>
  <p class="problem" role="alert">{problem}</p>
  <form method="post" action="{action}">
    <input type="hidden" name="next" value="{next}">
    <label for="token">Paste the token that your platform gave you.</label>
    <input id="token" name="token" type="password" autocomplete="off" required autofocus>
    <button type="submit">Sign in</button>
  </form>
"""

# The page that asked to sign in again listens for this message: labextension/src/user/signIn.ts.
DONE = """
  <h1>You are signed in as {name}</h1>
  <p>Your notebooks continue in the tab that you came from. You can close this one.</p>
  <script>new BroadcastChannel('jupyter-fleet-login').postMessage('signed in');</script>
"""

CONFIRM = """
  <h1>Sign in as {name}?</h1>
  <p>{why}</p>
  <form method="post" action="{action}">
    <input type="hidden" name="next" value="{next}">
    <input type="hidden" name="{kind}" value="{value}">
    <button type="submit">Sign in as {name}</button>
  </form>
"""

# Cookies may be another port's; what a tab keeps for an origin is not. So a sign-in goes on by
# itself in the tab that began it, and elsewhere its reader is asked.
CAME_BACK = (
    CONFIRM
    + """
  <script>
    const key = 'jupyter-fleet-state';
    const begun = sessionStorage.getItem(key);
    sessionStorage.removeItem(key);
    if (begun !== null && begun === new URLSearchParams(location.search).get('state')) {{
      document.forms[0].submit();
    }}
  </script>
"""
)

START = """
  <p><a id="platform" href="{address}">Sign in at your platform</a></p>
  <script>
    const platform = document.getElementById('platform').href;
    sessionStorage.setItem('jupyter-fleet-state', '{state}');
    location.replace(platform);
  </script>
"""

# The code is used up by sending the form: looking at the page, as previews do, is no sign-in.
GO_ON = """
  <form method="post" action="{action}">
    <input type="hidden" name="next" value="{next}">
    <input type="hidden" name="{kind}" value="{value}">
    <button type="submit">Sign in as {name}</button>
  </form>
  <script>document.forms[0].submit();</script>
"""

AT_PLATFORM = """
  <p><a href="{start}">Sign in at your platform</a></p>
"""

SIGN_OUT = """
  <h1>Sign out</h1>
  <form method="post" action="{action}">
    {xsrf}
    <p>You are signed in as {name}. Your kernels keep running when you sign out.</p>
    <button type="submit">Sign out</button>
  </form>
"""


def used_link(*, at_platform: bool) -> str:
    """What is wrong with a link that signs nobody in, and where there is another one."""
    where = (
        "sign in at your platform for a new one"
        if at_platform
        else "get a new one where you got it, or from whoever runs this fleet (`jupyter fleet "
        "login-link NAME` prints one)"
    )
    return f"this link was used already, is too old or is not whole: {where}"


def token_form(problem: str, action: str, next_page: str) -> str:
    """Where a token is pasted, below what was wrong with the one before, which may be empty."""
    return _FORM.format(
        problem=xhtml_escape(problem[:1].upper() + problem[1:]),
        action=xhtml_escape(action),
        next=xhtml_escape(next_page),
    )


def page(title: str, body: str) -> str:
    """A whole page; both texts are HTML."""
    return _PAGE.format(title=title, body=body.strip("\n"))
