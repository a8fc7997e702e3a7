"""The server extension: it turns a JupyterLab server into a lab of a fleet.

It does nothing unless a database is configured, so that other servers can use the same environment.
"""

from __future__ import annotations

import asyncio
import sys
from functools import partial
from pathlib import Path
from socket import socket
from typing import Any

from jupyter_server.extension.application import ExtensionApp
from jupyter_server.serverapp import ServerApp
from jupyter_server.services.security import csp_report_uri
from jupyter_server.utils import url_path_join
from jupyterlab.handlers.announcements import NeverCheckForUpdate  # type: ignore[import-untyped]
from jupyterlab_server.handlers import LabHandler
from traitlets.config import Config

from jupyter_ext import absent_services, garbage_at_start
from jupyter_ext.audit.audit import SETTING as AUDIT_SETTING
from jupyter_ext.audit.audit import Audit, AuditError
from jupyter_ext.audit.request_log import audited_log
from jupyter_ext.auth import early_errors
from jupyter_ext.auth.audited_routes import AUDITED
from jupyter_ext.auth.csp_reports import handlers as csp_report_handlers
from jupyter_ext.auth.encryption_handler import handlers as encryption_handlers
from jupyter_ext.auth.events import FleetEventsHandler
from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.auth.known_senders import KnownSenders
from jupyter_ext.auth.lab_secrets import SETTING as SECRETS_SETTING
from jupyter_ext.auth.page_headers import send_page_policy
from jupyter_ext.auth.page_policy import page_policy
from jupyter_ext.auth.page_user import with_page_user
from jupyter_ext.auth.renewal_event import renewal_event
from jupyter_ext.auth.revocation_handler import handlers as revocation_handlers
from jupyter_ext.auth.sign_in_code_handler import handlers as sign_in_code_handlers
from jupyter_ext.auth.strangers_bodies import StrangersBodies
from jupyter_ext.auth.user import current_username
from jupyter_ext.contents import bucket
from jupyter_ext.contents.export import Exports
from jupyter_ext.contents.export_handler import handlers as export_handlers
from jupyter_ext.contents.handlers import handlers as contents_handlers
from jupyter_ext.contents.manager import FleetContentsManager
from jupyter_ext.contents.storage import Storage
from jupyter_ext.database import engine
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.database.migrate import MigrationError, upgrade_lab
from jupyter_ext.database.unavailable import for_operator
from jupyter_ext.journals.handlers import handlers as journal_handlers
from jupyter_ext.journals.kept import KeptJournals
from jupyter_ext.journals.rows import move_documents as move_journals
from jupyter_ext.journals.sweep import JournalSweep
from jupyter_ext.jupyterlab_handlers import handlers_of_jupyterlab
from jupyter_ext.kernels.connection import FleetWebsocketConnection
from jupyter_ext.kernels.handlers import handlers as kernel_handlers
from jupyter_ext.kernels.launch_options_handler import handlers as launch_options_handlers
from jupyter_ext.kernels.manager import FleetKernelManager
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.kernels.ticket_handler import handlers as ticket_handlers
from jupyter_ext.lab_options import LabOptions
from jupyter_ext.logins.login_tokens import LoginTokens
from jupyter_ext.logins.logins import Logins
from jupyter_ext.logins.renewals import Renewals
from jupyter_ext.logins.revocation_watch import RevocationWatch
from jupyter_ext.logins.sign_in_codes import SignInCodes
from jupyter_ext.metrics_port import PortRefused, bind, serve
from jupyter_ext.output_frame.frame_handler import OutputFrameHandler
from jupyter_ext.output_frame.frame_host import FrameAddressError, frame_address, serve_only
from jupyter_ext.page_config import host_folders, public_page_config
from jupyter_ext.platform.encryption import EncryptionKeysError, SecretBox
from jupyter_ext.platform.revocations import Revocations
from jupyter_ext.platform.safe_logs import make_logs_safe
from jupyter_ext.platform.shared_secrets import SharedSecrets, SharedSecretsError
from jupyter_ext.platform.tokens import TokenKeysError, TokenVerifier
from jupyter_ext.sessions.handlers import handlers as session_handlers
from jupyter_ext.sessions.launch_choices_handler import handlers as launch_choices_handlers
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.personal_sessions import PersonalSessionManager
from jupyter_ext.sessions.store import launch_choices, leases
from jupyter_ext.sessions.store.moves import move_documents
from jupyter_ext.sessions.sweep import EARLIER_LEASE, SessionSweep
from jupyter_ext.userdata.signatures import SqlSignatureStore
from jupyter_ext.userdata.store import WorkspaceRoom


class CannotStart(Exception):
    """Something that a lab needs is missing or unusable; the text says what, in one line."""


class JupyterFleet(LabOptions, ExtensionApp):
    """One lab: reads its configuration and replaces Jupyter's managers by the fleet's."""

    name = "jupyter_fleet"

    classes = [SessionSweep, JournalSweep, Audit]  # noqa: RUF012 (traitlets)
    _sweeps: tuple[asyncio.Task[None], ...] = ()
    _metrics_sockets: tuple[socket, ...] = ()
    _verifier: TokenVerifier
    _audit: Audit
    _secrets: SharedSecrets

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._revocations = Revocations()

    @property
    def active(self) -> bool:
        """Whether this server is a lab of a fleet."""
        return bool(self.database_url)

    def _link_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Set the classes of the managers: this runs before they are made."""
        super()._link_jupyter_server_extension(serverapp)
        if not self.active:
            return
        try:
            self.prepare()
        except CannotStart as error:
            self.log.critical("Jupyter Fleet cannot start: %s", error)
            sys.exit(1)
        except Exception:
            # jupyter_server would only log the error and continue without our routes and rules,
            # serving the files of this machine.
            self.log.critical("Jupyter Fleet cannot start", exc_info=True)
            sys.exit(1)
        serverapp.update_config(self.server_config())

    def prepare(self) -> None:
        """Bring the tables up to date; raises CannotStart if anything that a lab needs is not
        usable."""
        if not self.gateway_urls:
            raise CannotStart("no gateway is configured: set JupyterFleet.gateway_urls")
        if not self.login_keys_file:
            raise CannotStart(
                "no keys for logins are configured: set JupyterFleet.login_keys_file to the same "
                "file for all labs (deploy/README.md says how to make one)"
            )
        try:
            if self.frame_url:
                frame_address(self.frame_url, self._public_url())
            # Before the lab serves: it may wait for the platform's keys.
            self._verifier = TokenVerifier(Path(self.token_keys_file), self._revocations)
            SecretBox(Path(self.login_keys_file))
            engine.check(self.database_url)
            upgrade_lab(engine.shared(self.database_url))
            self._revocation_watch().begin()
            bucket.check(self.bucket_url)
            self._metrics_sockets = tuple(bind(self.metrics_port, self.metrics_ip))
            file = self.shared_secrets_file
            self._secrets = SharedSecrets(Path(file) if file else None)
            self._audit = Audit(parent=self)
            self._audit.start()
        except (
            DatabaseUnavailable,
            MigrationError,
            TokenKeysError,
            EncryptionKeysError,
            bucket.StoreUnavailable,
            PortRefused,
            AuditError,
            SharedSecretsError,
            FrameAddressError,
        ) as error:
            raise CannotStart(for_operator(error)) from error

    def _public_url(self) -> str:
        """The fleet's address in browsers; empty if no operator has said it."""
        config = self.config if self.serverapp is None else self.serverapp.config
        return str(config.get("FleetIdentityProvider", {}).get("public_url", ""))

    def server_config(self) -> Config:
        """What this lab sets in the server and in the managers."""
        database = engine.shared(self.database_url)
        gateways = {"urls": list(self.gateway_urls), "service_token_file": self.service_token_file}
        return Config(
            {
                "ServerApp": {
                    "contents_manager_class": FleetContentsManager,
                    "session_manager_class": PersonalSessionManager,
                    "kernel_manager_class": FleetKernelManager,
                    "kernel_spec_manager_class": FleetKernelSpecManager,
                    "kernel_websocket_connection_class": FleetWebsocketConnection,
                    "identity_provider_class": FleetIdentityProvider,
                    # Everybody uses this lab, so nobody may have a shell on it.
                    "terminals_enabled": False,
                    # File > Shut Down would end the lab of everybody; the route is refused as well.
                    "quit_button": False,
                },
                "FleetContentsManager": {
                    "database_url": self.database_url,
                    "bucket_url": self.bucket_url,
                    # The stock handler of /files reads through the manager, but is a handler of
                    # static files, which insists on a folder.
                    "files_handler_params": {"path": ""},
                    # Sessions are in the same database, and move in the same transaction.
                    "on_rename": _move_documents,
                    "on_delete": launch_choices.forget_documents,
                },
                "FleetSessionManager": {"database_url": self.database_url},
                "FleetIdentityProvider": {
                    "token_verifier": lambda: self._verifier,
                    "open_codes": lambda: SignInCodes(
                        database, SecretBox(Path(self.login_keys_file))
                    ),
                    "open_logins": lambda verifier, most: Logins(
                        database, SecretBox(Path(self.login_keys_file)), verifier, most
                    ),
                    "open_renewals": lambda verifier, logins: Renewals(
                        database,
                        SecretBox(Path(self.login_keys_file)),
                        verifier,
                        logins,
                        tell=lambda renewal: self._audit.record(renewal_event(renewal)),
                    ),
                    # No partial: a configuration is copied, with all that it refers to.
                    "earlier_labs": lambda: _earlier_labs(database),
                },
                "FleetGatewayClient": gateways,
                "NotebookNotary": {
                    "store_factory": lambda: SqlSignatureStore(database, current_username)
                },
                "LabApp": {
                    # These would install code into a shared server or send requests on its behalf.
                    "extension_manager": "readonly",
                    "news_url": None,
                    "check_for_updates_class": NeverCheckForUpdate,
                },
            }
        )

    def initialize(self) -> None:  # type: ignore[override]
        """Install the handlers; must be called after the web application was created."""
        if self.active:
            super().initialize()

    async def _start_jupyter_server_extension(self, serverapp: ServerApp) -> None:
        """Start the lab's background work; called when the server listens, a lab or not."""
        garbage_at_start.collect_from_now()
        if not self.active:
            return
        serve(self._metrics_sockets)
        # Half-sent requests are not waited for; jupyter_server has no option for it.
        limits = serverapp.http_server.conn_params
        limits.header_timeout = self.request_seconds
        limits.body_timeout = self.body_seconds
        is_known = KnownSenders(serverapp.web_app.settings)
        serverapp.http_server.request_callback = StrangersBodies(serverapp.web_app, is_known)
        sessions = serverapp.session_manager
        if isinstance(sessions, FleetSessionManager):
            sweeps = (
                SessionSweep(parent=self, sessions=sessions),
                self._journal_sweep(sessions),
            )
            watch = self._revocation_watch()
            self._sweeps = tuple(asyncio.ensure_future(one.run()) for one in (*sweeps, watch))

    def _revocation_watch(self) -> RevocationWatch:
        return RevocationWatch(engine.shared(self.database_url), self._revocations)

    def _journal_sweep(self, sessions: FleetSessionManager) -> JournalSweep:
        async def hold_lease(holder: str, seconds: float) -> bool:
            hold = partial(leases.hold_lease, name="journal sweep", holder=holder, seconds=seconds)
            return bool(await sessions.run(hold))

        return JournalSweep(
            parent=self,
            journals=self._journals,
            kernels=sessions.kernel_manager.list_kernels,
            hold_lease=hold_lease,
        )

    async def stop_extension(self) -> None:
        """Disconnect pages, so that they use another lab, and finish pending requests; called when
        the server stops."""
        for sweep in self._sweeps:
            sweep.cancel()
        if self.active:
            self._verifier.stop()
        provider = getattr(self.serverapp, "identity_provider", None)
        if not isinstance(provider, FleetIdentityProvider):
            return
        await FleetWebsocketConnection.close_all()
        left = await provider.open_requests.wait(self.stop_seconds)
        if left:
            self.log.warning("requests not answered in %.0f s: %d", self.stop_seconds, left)
        # The last answers leave their buffers.
        await asyncio.sleep(0.05)
        await asyncio.to_thread(self._audit.close)

    def initialize_settings(self) -> None:
        """Tell the labextension, which otherwise does nothing, that this server is a lab, say what
        pages may load, and have nobody keep answers."""
        page_config = self.settings.setdefault("page_config_data", {})
        page_config["jupyterFleet"] = True
        page_config["fleetFramesAllOutputs"] = self.frame_all_outputs
        if self.frame_url:
            page_config["fleetFrameUrl"] = self.frame_url
        report_uri = url_path_join(self.settings["base_url"], csp_report_uri)
        # An operator's own headers stay. Files of the page itself, which are everybody's, say how
        # long they may be kept.
        headers = self.settings.get("headers", {})
        self.settings["headers"] = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": page_policy(report_uri),
            **headers,
        }
        self.settings[AUDIT_SETTING] = self._audit
        self.settings[SECRETS_SETTING] = self._secrets
        self.settings["log_function"] = audited_log(
            self.settings["log_function"], self._audit, AUDITED, self.settings["base_url"]
        )
        folders = host_folders()

        def for_page(handler: LabHandler, config: dict[str, Any]) -> dict[str, Any]:
            if "Content-Security-Policy" not in headers:
                strict = self.frame_all_outputs
                send_page_policy(handler, config, only_installed_scripts=strict)
            return with_page_user(handler, public_page_config(config, folders))

        self.settings["page_config_hook"] = for_page

    def initialize_handlers(self) -> None:
        """Routes that stand before jupyter_server's and JupyterLab's own."""
        early_errors.install()
        make_logs_safe()
        self.handlers.extend(contents_handlers)
        self.handlers.extend(export_handlers(Exports(seconds=self.export_seconds)))
        storage = Storage(self.database_url, self.bucket_url)
        self._journals = KeptJournals(storage, self.journal_bytes)
        self.handlers.extend(journal_handlers(self._journals))
        self.handlers.extend(kernel_handlers)
        self.handlers.extend(ticket_handlers(self.ticket_seconds))
        self.handlers.extend(revocation_handlers(self._revocation_watch()))
        tokens = LoginTokens(
            engine.shared(self.database_url), SecretBox(Path(self.login_keys_file))
        )
        self.handlers.extend(encryption_handlers(tokens))
        self.handlers.extend(sign_in_code_handlers)
        self.handlers.extend(session_handlers)
        self.handlers.extend(launch_options_handlers)
        self.handlers.extend(launch_choices_handlers)
        self.handlers.extend(absent_services.handlers)
        self.handlers.extend(csp_report_handlers)
        self.handlers.append((r"/api/events/subscribe", FleetEventsHandler))
        for_frames: dict[str, Any] = {"web": self.outputs_load_from_web}
        self.handlers.append((r"/fleet/frame", OutputFrameHandler, for_frames))
        if self.frame_url:
            host, page = frame_address(self.frame_url, self._public_url())
            path = url_path_join(self.settings["base_url"], r"/fleet/frame")
            only = [(path, OutputFrameHandler, for_frames | {"shown_by": page})]
            serve_only(self.serverapp.web_app, host, only)  # type: ignore[union-attr]
        points = self.serverapp.extension_manager.extension_points  # type: ignore[union-attr]
        if "lab" in points:
            lab, database = points["lab"].app, engine.shared(self.database_url)
            room = WorkspaceRoom(self.max_workspaces, self.workspace_bytes)
            self.handlers.extend(handlers_of_jupyterlab(lab, database, room, self.log))


async def _earlier_labs(database: engine.Database) -> bool:
    """Whether labs of the version before are alive: only they take that lease, and one of them
    takes it within a minute and a half after another has left it."""
    held = partial(leases.was_held, name=EARLIER_LEASE, seconds=90.0)
    try:
        return await database.run(held, read_only=True)
    except DatabaseUnavailable:
        return False


def _move_documents(connection: Any, old: str, new: str) -> None:
    """In the transaction of a rename: whatever is found by a document's path moves along."""
    move_documents(connection, old, new)
    move_journals(connection, old, new)
