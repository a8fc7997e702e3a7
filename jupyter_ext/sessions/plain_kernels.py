"""A kernel for a client that asks for one without a session."""

from __future__ import annotations

from tornado import web

from jupyter_ext.kernels.launch_rules import Choice
from jupyter_ext.kernels.launches import Model
from jupyter_ext.kernels.manager import project_of, require_role
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from jupyter_ext.sessions.checks import check_lengths
from jupyter_ext.sessions.document_starts import Sessions, kernel_of_document
from jupyter_ext.sessions.paths import Document, real_path

_NOTEBOOK = ".ipynb"


async def plain_kernel(
    sessions: Sessions,
    identity: Identity,
    *,
    path: str | None,
    kernel_name: str | None,
    kernel_id: str | None,
    choice: Choice,
) -> Model:
    """The model of a new kernel, or, for the path of a notebook, of the notebook's kernel, which is
    started if there is none: nobody gets a second one by another route. Raises HTTPError, 409 if
    the notebook has a kernel of another id than the one asked for."""
    if not path or not path.endswith(_NOTEBOOK):
        return await sessions.kernel_manager.launch(
            kernel_id=kernel_id, path=path, kernel_name=kernel_name, choice=choice
        )
    document = Document(real_path(path, None, "notebook"), "notebook")
    check_lengths(path=path, name="", type_=document.type, real=document.path)
    require_role(identity, project_of(document.path), Role.EDITOR)
    kernel, _ = await kernel_of_document(sessions, document, kernel_name, kernel_id, choice)
    if kernel_id and kernel["id"] != kernel_id:
        raise web.HTTPError(
            409,
            f"{path!r} has the kernel {kernel['id']}: leave out kernel_id to use that one, or the"
            " path for a kernel of no notebook",
        )
    return kernel
