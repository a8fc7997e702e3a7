"""Data of each user that is the same in every lab: settings, workspaces, trust in notebooks.

`tables` and `store` have all SQL; the handlers replace jupyterlab_server's, which keep these data
in files that all users of a server share. Nothing here knows contents, sessions or kernels.
"""
