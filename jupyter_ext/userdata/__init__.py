"""What a person brings along to any lab: settings, workspaces, trust in notebooks.

`tables` and `store` hold all SQL; the handlers stand in front of jupyterlab_server's own, which
keep the same things in files that all users of a server share. Nothing here knows contents,
sessions or kernels.
"""
