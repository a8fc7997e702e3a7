"""What the calls of a lab are in the audit. What is not here reads what pages ask again and again.

`tests/unit/jupyter_ext/auth/test_audited_routes.py` has each route that changes something named.
"""

from __future__ import annotations

from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.audit.audited_calls import Audited, AuditTable

_OURS = "jupyter_ext"
_FILES = f"{_OURS}.contents.handlers"
_KERNELS = f"{_OURS}.kernels.handlers"
_SESSIONS = f"{_OURS}.sessions.handlers"
_SETTINGS = f"{_OURS}.userdata.settings_handler.FleetSettingsHandler"
_WORKSPACES = f"{_OURS}.userdata.workspaces_handler.FleetWorkspacesHandler"
_REVOCATIONS = f"{_OURS}.auth.revocation_handler.RevocationHandler"
_JOURNALS = f"{_OURS}.journals.handlers"

_TABLE: dict[tuple[str, str], tuple[str, Kind]] = {
    (f"{_OURS}.auth.login.FleetLoginHandler", "GET"): ("login.page", Kind.POLL),
    (f"{_OURS}.auth.login.FleetLoginHandler", "POST"): ("login", Kind.CHANGE),
    (f"{_OURS}.auth.logout.FleetLogoutHandler", "GET"): ("logout.page", Kind.POLL),
    (f"{_OURS}.auth.logout.FleetLogoutHandler", "POST"): ("logout", Kind.CHANGE),
    (f"{_OURS}.auth.sign_in_code_handler.SignInCodeHandler", "POST"): (
        "sign_in_code.make",
        Kind.CHANGE,
    ),
    (f"{_OURS}.auth.encryption_handler.EncryptionHandler", "POST"): ("secrets.renew", Kind.CHANGE),
    (_REVOCATIONS, "POST"): ("revocation.add", Kind.CHANGE),
    (_REVOCATIONS, "GET"): ("revocation.list", Kind.FLEET),
    (f"{_OURS}.auth.csp_reports.FleetCspReportHandler", "POST"): ("page.report", Kind.POLL),
    (f"{_OURS}.auth.events.FleetEventsHandler", "GET"): ("events.open", Kind.POLL),
    (f"{_FILES}.ContentsHandler", "GET"): ("file.read", Kind.READ),
    (f"{_FILES}.ContentsHandler", "POST"): ("file.create", Kind.CHANGE),
    (f"{_FILES}.ContentsHandler", "PUT"): ("file.save", Kind.CHANGE),
    (f"{_FILES}.ContentsHandler", "PATCH"): ("file.rename", Kind.CHANGE),
    (f"{_FILES}.ContentsHandler", "DELETE"): ("file.delete", Kind.CHANGE),
    (f"{_FILES}.CheckpointsHandler", "POST"): ("checkpoint.create", Kind.CHANGE),
    (f"{_FILES}.ModifyCheckpointsHandler", "POST"): ("checkpoint.restore", Kind.CHANGE),
    (f"{_FILES}.ModifyCheckpointsHandler", "DELETE"): ("checkpoint.delete", Kind.CHANGE),
    (f"{_FILES}.TrustNotebooksHandler", "POST"): ("file.trust", Kind.CHANGE),
    ("jupyter_server.files.handlers.FilesHandler", "GET"): ("file.download", Kind.READ),
    (f"{_OURS}.contents.export_handler.ExportHandler", "GET"): ("file.export", Kind.READ),
    (f"{_SESSIONS}.FleetSessionRootHandler", "POST"): ("session.open", Kind.CHANGE),
    (f"{_SESSIONS}.FleetSessionHandler", "GET"): ("session.look", Kind.POLL),
    (f"{_SESSIONS}.FleetSessionHandler", "PATCH"): ("session.change", Kind.CHANGE),
    (f"{_SESSIONS}.FleetSessionHandler", "DELETE"): ("session.end", Kind.CHANGE),
    (f"{_KERNELS}.FleetKernelsHandler", "POST"): ("kernel.start", Kind.CHANGE),
    (f"{_KERNELS}.FleetKernelHandler", "GET"): ("kernel.look", Kind.POLL),
    (f"{_KERNELS}.FleetKernelHandler", "DELETE"): ("kernel.end", Kind.CHANGE),
    (f"{_KERNELS}.FleetKernelActionHandler", "POST"): ("kernel.restart", Kind.CHANGE),
    # Whoever has it open may run code.
    (f"{_KERNELS}.FleetKernelWebsocketHandler", "GET"): ("kernel.connect", Kind.CHANGE),
    (_SETTINGS, "PUT"): ("settings.save", Kind.CHANGE),
    # The page saves its layout again and again.
    (_WORKSPACES, "PUT"): ("workspace.save", Kind.POLL),
    (_WORKSPACES, "DELETE"): ("workspace.delete", Kind.CHANGE),
    (f"{_JOURNALS}.JournalHandler", "GET"): ("output.read", Kind.READ),
    (f"{_JOURNALS}.JournalHandler", "POST"): ("output.keep", Kind.FLEET),
    (f"{_JOURNALS}.DocumentJournalsHandler", "GET"): ("output.list", Kind.POLL),
    (f"{_OURS}.kernels.ticket_handler.TicketHandler", "POST"): ("kernel.ticket", Kind.FLEET),
}

AUDITED: AuditTable = {key: Audited(*named) for key, named in _TABLE.items()}
