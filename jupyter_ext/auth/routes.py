"""The routes of a lab: everything else is refused."""

from __future__ import annotations

from jupyter_ext.platform import export_formats
from jupyter_ext.platform.route_table import Route, Who, route, without_head

_UUID = r"[\w-]+"
_PATH = r"(?P<path>/.*|)"

_OURS = "jupyter_ext"
_STOCK = "jupyter_server"
_STATIC = f"{_STOCK}.base.handlers.FileFindHandler"
_FILES = f"{_OURS}.contents.handlers"
_KERNELS = f"{_OURS}.kernels.handlers"
_SESSIONS = f"{_OURS}.sessions.handlers"
_SETTINGS = f"{_OURS}.userdata.settings_handler.FleetSettingsHandler"
_WORKSPACES = f"{_OURS}.userdata.workspaces_handler.FleetWorkspacesHandler"
_REVOCATIONS = f"{_OURS}.auth.revocation_handler.RevocationHandler"
_JOURNALS = f"{_OURS}.journals.handlers"
_PAGES = r"/(?:lab|doc)(?:/(?:workspaces|tree)(?:/.*)?)?/?"

ROUTES: tuple[Route, ...] = (
    route(Who.EVERYBODY, "GET", r"/api/?", f"{_STOCK}.base.handlers.APIVersionHandler"),
    route(Who.EVERYBODY, "GET POST", r"/login", f"{_OURS}.auth.login.FleetLoginHandler"),
    route(Who.EVERYBODY, "GET POST", r"/logout", f"{_OURS}.auth.logout.FleetLogoutHandler"),
    # Signed by the platform's key, which the handler looks at.
    route(Who.EVERYBODY, "POST", r"/api/fleet/revocations", _REVOCATIONS),
    route(Who.SERVICES, "GET", r"/api/fleet/revocations", _REVOCATIONS),
    route(
        Who.SERVICES,
        "GET POST",
        r"/api/fleet/encryption",
        f"{_OURS}.auth.encryption_handler.EncryptionHandler",
    ),
    # With a token alone, which the handler looks at.
    route(
        Who.USERS,
        "POST",
        r"/api/fleet/sign-in-codes",
        f"{_OURS}.auth.sign_in_code_handler.SignInCodeHandler",
    ),
    route(Who.EVERYBODY, "GET", r"/static/.*|/(?:favicon\.ico|robots\.txt)", _STATIC),
    route(
        Who.EVERYBODY,
        "GET",
        r"/lab/api/themes/.*",
        f"{_OURS}.themes_handler.FleetThemesHandler",
    ),
    # A frame without an origin: it is the same for everybody.
    route(
        Who.EVERYBODY,
        "GET",
        r"/fleet/frame",
        f"{_OURS}.output_frame.frame_handler.OutputFrameHandler",
    ),
    # The page itself and what it is made of. Without what installs, builds or fetches something
    # for everybody, and without licenses, whose handler passes an argument to `re` as a pattern.
    route(Who.USERS, "GET", _PAGES, "jupyterlab_server.handlers.LabHandler"),
    route(Who.USERS, "GET", _PAGES, "jupyterlab_server.handlers.NotFoundHandler"),
    route(Who.USERS, "GET", r"/lab/extensions/.*", _STATIC),
    route(
        Who.USERS,
        "GET",
        r"/lab/api/translations(?:/.*)?",
        f"{_OURS}.userdata.translations_handler.FleetTranslationsHandler",
    ),
    route(Who.USERS, "GET", r"/lab/api/settings/?", _SETTINGS),
    route(Who.USERS, "GET PUT", r"/lab/api/settings/.+", _SETTINGS),
    route(Who.USERS, "GET PUT DELETE", r"/lab/api/workspaces(?:/.*)?", _WORKSPACES),
    route(Who.USERS, "GET", r"/api/me", f"{_STOCK}.services.api.handlers.IdentityHandler"),
    route(Who.USERS, "GET", r"/api/status", f"{_STOCK}.services.api.handlers.APIStatusHandler"),
    without_head(
        route(
            Who.USERS, "GET", r"/api/spec\.yaml", f"{_STOCK}.services.api.handlers.APISpecHandler"
        )
    ),
    route(
        Who.USERS, "GET", r"/api/nbconvert", f"{_OURS}.contents.export_handler.ExportFormatsHandler"
    ),
    route(Who.USERS, "GET", r"/api/resolvePath", f"{_OURS}.absent_services.NoLocalPathsHandler"),
    route(Who.USERS, "GET", r"/lsp/status", f"{_OURS}.absent_services.NoLanguageServersHandler"),
    route(
        Who.USERS, "GET", r"/api/config/[\w.-]+", f"{_STOCK}.services.config.handlers.ConfigHandler"
    ),
    route(
        Who.USERS,
        "POST",
        r"/api/security/csp-report",
        f"{_OURS}.auth.csp_reports.FleetCspReportHandler",
    ),
    route(
        Who.USERS,
        "GET",
        r"/api/events/subscribe",
        f"{_OURS}.auth.events.FleetEventsHandler",
        socket=True,
    ),
    # Files: which project they are in, the URL says.
    route(
        Who.VIEWERS,
        "GET",
        rf"/api/contents{_PATH}/checkpoints",
        f"{_FILES}.CheckpointsHandler",
    ),
    route(
        Who.EDITORS,
        "POST",
        rf"/api/contents{_PATH}/checkpoints",
        f"{_FILES}.CheckpointsHandler",
    ),
    route(
        Who.EDITORS,
        "POST DELETE",
        rf"/api/contents{_PATH}/checkpoints/[\w-]+",
        f"{_FILES}.ModifyCheckpointsHandler",
    ),
    # Users may trust, for themselves, every notebook that they may read.
    route(
        Who.VIEWERS, "POST", r"/api/contents(?P<path>/.*)/trust", f"{_FILES}.TrustNotebooksHandler"
    ),
    route(Who.VIEWERS, "GET", rf"/api/contents{_PATH}", f"{_FILES}.ContentsHandler"),
    route(
        Who.EDITORS,
        "POST PUT PATCH DELETE",
        rf"/api/contents{_PATH}",
        f"{_FILES}.ContentsHandler",
    ),
    route(Who.VIEWERS, "GET", r"/api/fleet/versions(?P<path>/.*)", f"{_FILES}.VersionsHandler"),
    without_head(
        route(Who.VIEWERS, "GET", r"/files(?P<path>/.*)", f"{_STOCK}.files.handlers.FilesHandler")
    ),
    route(
        Who.VIEWERS,
        "GET",
        rf"/nbconvert/(?:{export_formats.PATTERN})(?P<path>/.*)",
        f"{_OURS}.contents.export_handler.ExportHandler",
    ),
    # Kernels and sessions: their project is in the body or in their record.
    route(Who.USERS, "GET", r"/api/kernelspecs", f"{_KERNELS}.FleetKernelSpecsHandler"),
    route(
        Who.USERS,
        "GET",
        r"/api/kernelspecs/[^/]+",
        f"{_STOCK}.services.kernelspecs.handlers.KernelSpecHandler",
    ),
    route(Who.USERS, "GET", r"/kernelspecs/.*", f"{_KERNELS}.FleetKernelSpecResourceHandler"),
    route(
        Who.USERS,
        "GET",
        r"/api/fleet/kernelspecs/[^/]+/launch-options",
        f"{_OURS}.kernels.launch_options_handler.LaunchOptionsHandler",
    ),
    route(
        Who.USERS,
        "GET",
        r"/api/fleet/launch-choices",
        f"{_OURS}.sessions.launch_choices_handler.LaunchChoicesHandler",
    ),
    route(Who.USERS, "GET POST", r"/api/sessions", f"{_SESSIONS}.FleetSessionRootHandler"),
    route(
        Who.USERS, "GET PATCH DELETE", rf"/api/sessions/{_UUID}", f"{_SESSIONS}.FleetSessionHandler"
    ),
    route(Who.USERS, "GET POST", r"/api/kernels", f"{_KERNELS}.FleetKernelsHandler"),
    route(Who.USERS, "GET DELETE", rf"/api/kernels/{_UUID}", f"{_KERNELS}.FleetKernelHandler"),
    route(
        Who.USERS,
        "POST",
        rf"/api/kernels/{_UUID}/(?:interrupt|restart)",
        f"{_KERNELS}.FleetKernelActionHandler",
    ),
    route(
        Who.USERS,
        "GET",
        rf"/api/kernels/{_UUID}/channels",
        f"{_KERNELS}.FleetKernelWebsocketHandler",
        socket=True,
    ),
    # What kernels have said: what runs beside them writes it, viewers of its project read it.
    # Gateways write it for agents of the version before.
    route(
        Who.KERNELS,
        "POST",
        rf"/api/fleet/kernels/(?P<kernel>{_UUID})/journal",
        f"{_JOURNALS}.JournalHandler",
    ),
    route(Who.USERS, "GET", rf"/api/fleet/kernels/{_UUID}/journal", f"{_JOURNALS}.JournalHandler"),
    route(
        Who.VIEWERS,
        "GET",
        r"/api/fleet/journals(?P<path>/.*)",
        f"{_JOURNALS}.DocumentJournalsHandler",
    ),
    route(
        Who.SERVICES,
        "POST",
        rf"/api/fleet/kernels/{_UUID}/ticket",
        f"{_OURS}.kernels.ticket_handler.TicketHandler",
    ),
)
