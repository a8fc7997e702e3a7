"""What a page is told of its lab."""

from jupyter_ext.page_config import host_folders, public_page_config


def test_no_path_of_the_host_is_told() -> None:
    told = public_page_config(
        {
            "serverRoot": "/srv/lab",
            "schemasDir": "/opt/env/share/jupyter/lab/schemas",
            "labextensionsPath": ["/opt/env/share/jupyter/labextensions"],
            "rootUri": "file:///srv/lab",
            "somebodys": {"deep": ["/opt/env/secret"]},
            "licensesUrl": "/lab/api/licenses",
            "buildAvailable": True,
            "buildCheck": True,
            "extensionManager": {"name": "PyPI", "can_install": False, "install_path": None},
            "disabledExtensions": ["somebodys:plugin"],
            "appUrl": "/lab",
            "themesUrl": "/opt/env/api/themes",
            "preferredPath": "/",
            "copyAbsolutePath": False,
            "federated_extensions": [{"name": "x", "load": "static/x.js"}],
        },
        ("/opt/env", "/srv"),
    )
    assert told == {
        "appUrl": "/lab",
        "themesUrl": "/opt/env/api/themes",
        "preferredPath": "/",
        "copyAbsolutePath": False,
        "federated_extensions": [{"name": "x", "load": "static/x.js"}],
        "disabledExtensions": [
            "somebodys:plugin",
            "@jupyterlab/apputils-extension:licenses-plugin",
            "@jupyterlab/extensionmanager-extension:plugin",
            "@jupyterlab/help-extension:licenses-commands",
            "@jupyterlab/pluginmanager-extension:plugin",
            "@jupyterlab/apputils-extension:workspaces",
        ],
    }


def test_the_root_of_all_files_is_no_folder_of_ours() -> None:
    assert host_folders()
    assert "/" not in host_folders()
