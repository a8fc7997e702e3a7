"""A YARN cluster: how its ResourceManager is reached, and how applications are submitted."""

import asyncio
import getpass
import json
import logging
import os
import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import requests
import requests.auth
from traitlets import Bool, Float, Integer, List, Unicode
from traitlets.config import LoggingConfigurable
from yarn_api_client.errors import APIError  # type: ignore[import-untyped]
from yarn_api_client.resource_manager import ResourceManager  # type: ignore[import-untyped]

from gateway_ext.process_proxies.cluster_calls import (
    ClusterCalls,
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
)
from gateway_ext.process_proxies.selectors import ApplicationId, ApplicationTag
from gateway_ext.process_proxies.yarn_application_status import tags_of

# The library logs each request; EG_YARN_LOG_LEVEL is Enterprise Gateway's variable.
logging.getLogger("yarn_api_client").setLevel(os.environ.get("EG_YARN_LOG_LEVEL", "WARNING"))

Application = dict[str, Any]

_USER = "user.name"


class YarnCluster(LoggingConfigurable):
    """Calls to the ResourceManager's REST interface, each with a timeout.

    Its address is one of `endpoints`, or Enterprise Gateway's `yarn_endpoint` (and
    `alt_yarn_endpoint`), or what yarn-site.xml says. Every method raises ClusterSilent and
    ClusterRefused.
    """

    endpoints = List(
        Unicode(),
        help="The URLs of the ResourceManagers, of which the active one is asked: for example "
        "http://resourcemanager:8088. The default is EnterpriseGatewayApp.yarn_endpoint and "
        "alt_yarn_endpoint.",
    ).tag(config=True)
    spark_submit = Unicode(
        help="The program that submits applications. The default is $SPARK_HOME/bin/spark-submit, "
        "with the SPARK_HOME of the kernelspec or of the gateway."
    ).tag(config=True)
    impersonation = Bool(
        os.environ.get("EG_IMPERSONATION_ENABLED", "").lower() == "true",
        help="Submit as the user who starts the kernel (spark-submit --proxy-user). The default "
        "is EG_IMPERSONATION_ENABLED.",
    ).tag(config=True)
    client_spark_settings = List(
        Unicode(),
        [
            "spark.default.parallelism",
            "spark.driver.cores",
            "spark.driver.maxResultSize",
            "spark.driver.memory",
            "spark.dynamicAllocation.",
            "spark.executor.cores",
            "spark.executor.instances",
            "spark.executor.memory",
            "spark.memory.",
            "spark.shuffle.",
            "spark.sql.",
            "spark.yarn.queue",
        ],
        help="Prefixes of the Spark settings that a user who starts a kernel may choose, in "
        "KERNEL_EXTRA_SPARK_OPTS. Kernelspecs may set all of them.",
    ).tag(config=True)
    request_seconds = Float(10.0, help="How long the ResourceManager may take to answer.").tag(
        config=True
    )
    submit_seconds = Float(
        120.0, help="How long spark-submit may take until the application is submitted."
    ).tag(config=True)
    programs_at_once = Integer(
        4,
        min=1,
        help="How many programs of Spark and Hadoop may run on the gateway's machine at the same "
        "time, to submit applications or to remove their files. Each is a Java process "
        "that keeps a processor busy for seconds; further kernels wait.",
    ).tag(config=True)
    end_seconds = Float(
        15.0,
        help="How long an application may take to end after its kernel has ended, until it is "
        "killed, or after it was killed, until that is tried again.",
    ).tag(config=True)
    threads = Integer(8, min=1, help="How many requests may run at the same time.").tag(config=True)

    @cached_property
    def _calls(self) -> ClusterCalls:
        # Finding the active one of two, then the call itself.
        return ClusterCalls(
            self.threads, 3 * self.request_seconds + 2.0, "fleet-yarn", "the ResourceManager"
        )

    @cached_property
    def programs(self) -> asyncio.Semaphore:
        """To be held while a program of Spark or Hadoop runs."""
        return asyncio.Semaphore(self.programs_at_once)

    @cached_property
    def _managers(self) -> dict[str, ResourceManager]:
        return {}

    async def application(self, application_id: ApplicationId) -> Application | None:
        """The application; None if the ResourceManager says that it knows none of that id."""
        try:
            answer = await self._call(
                lambda manager: manager.cluster_application(application_id.value)
            )
        except ClusterRefused as refusal:
            if refusal.status == 404 and refusal.reason == "NotFoundException":
                return None
            raise
        return _object(answer, "app")

    async def tagged(self, tag: ApplicationTag) -> list[Application]:
        """The applications that have a tag, whatever else the ResourceManager answers."""
        answer = await self._call(
            lambda manager: manager.cluster_applications(application_tags=[tag.value])
        )
        if "apps" not in answer:
            raise ClusterSilent("the ResourceManager's answer has no `apps`")
        # Without one it is null, or empty, as versions go.
        applications = (answer["apps"] or {}).get("app") or []
        return [one for one in applications if tag.value in tags_of(one)]

    async def information(self) -> dict[str, Any]:
        """What the ResourceManager says of itself."""
        return _object(
            await self._call(lambda manager: manager.cluster_information()), "clusterInfo"
        )

    async def kill(self, application_id: ApplicationId, user: str) -> None:
        """Ends an application of that user; does nothing if it has ended.

        Without Kerberos this acts as the user; with Kerberos the gateway must be allowed to do it.
        """
        path = f"/ws/v1/cluster/apps/{application_id}/state"
        parameters = {} if self._secure else {_USER: user}
        await self._call(
            lambda manager: manager.request(
                path, "PUT", json={"state": "KILLED"}, params=parameters
            )
        )

    async def _call(self, call: Callable[[ResourceManager], Any]) -> dict[str, Any]:
        def blocking() -> dict[str, Any]:
            try:
                return dict(call(self._active()).data)
            except APIError as error:
                self._managers.clear()
                raise refusal_from(str(error)) from error
            except (requests.RequestException, OSError, ValueError, TypeError) as error:
                # Another ResourceManager may be active by now.
                self._managers.clear()
                raise ClusterSilent(
                    f"the ResourceManager does not answer: {error}",
                    words="the ResourceManager does not answer",
                ) from error

        return await self._calls.run(blocking)

    @property
    def is_configured(self) -> bool:
        """Whether anybody says where the ResourceManager is; yarn-site.xml alone does not count."""
        app: Any = self.parent
        return bool(self.endpoints or app.yarn_endpoint)

    def _active(self) -> ResourceManager:
        manager = self._managers.get("active")
        if manager is None:
            app: Any = self.parent
            told = self.endpoints or (app.yarn_endpoint, app.alt_yarn_endpoint)
            endpoints = [one for one in told if one]
            try:
                manager = ResourceManager(
                    [one.rstrip("/").removesuffix("/ws/v1/cluster") for one in endpoints] or None,
                    timeout=self.request_seconds,
                    auth=self._authentication(),
                    verify=certificate_authorities(os.environ),
                )
            except requests.RequestException:
                raise
            except Exception as error:
                # The library raises nothing narrower, for lack of an active one too.
                raise ClusterSilent(f"no ResourceManager can be used: {error}") from error
            self._managers["active"] = manager
        return manager

    @property
    def _secure(self) -> bool:
        app: Any = self.parent
        return bool(app.yarn_endpoint_security_enabled)

    def _authentication(self) -> Any:
        if not self._secure:
            return UserName(os.environ.get("HADOOP_USER_NAME") or getpass.getuser())
        try:
            from requests_kerberos import (  # type: ignore[import-not-found]
                OPTIONAL,
                HTTPKerberosAuth,
            )
        except ImportError as error:
            raise ClusterSilent(
                "yarn_endpoint_security_enabled needs the package requests-kerberos in the "
                "gateway's environment"
            ) from error
        return HTTPKerberosAuth(mutual_authentication=OPTIONAL)


class UserName(requests.auth.AuthBase):
    """Hadoop's `simple` authentication: the query of a request names the user.

    The library's own implementation waits forever for a cookie that only some ResourceManagers set.
    """

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if f"{_USER}=" not in (request.url or ""):
            request.prepare_url(request.url, {_USER: self._name})
        return request


def certificate_authorities(environment: Mapping[str, str]) -> str | bool:
    """The file or folder of the authorities that sign ResourceManagers' certificates; True for
    those that the library comes with. It looks at none of these variables by itself."""
    for name in ("EG_YARN_CERT_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        if environment.get(name):
            return environment[name]
    return True


def refusal_from(text: str) -> ClusterRefused | ClusterSilent:
    """The error for the library's account of an answer that is no success."""
    found = re.match(r"Response finished with status: (\d+)\. Details: (.*)\Z", text, re.DOTALL)
    if found is None:
        return ClusterSilent(text)
    status, body = int(found.group(1)), found.group(2)
    try:
        told = json.loads(body)["RemoteException"]
        reason, message = str(told["exception"]), str(told["message"])
    except (ValueError, KeyError, TypeError):
        reason, message = "", body.strip()[:500]
    if status == 401:
        return CredentialsRefused(
            "the ResourceManager answers 401: the gateways' credentials are refused or have expired"
        )
    if status >= 500 or status in (408, 429) or 300 <= status < 400:
        return ClusterSilent(f"the ResourceManager answers {status}: {message}")
    return ClusterRefused(status, reason, message or f"HTTP status {status}")


def _object(answer: dict[str, Any], name: str) -> dict[str, Any]:
    value = answer.get(name)
    if not isinstance(value, dict):
        raise ClusterSilent(f"the ResourceManager's answer has no `{name}`")
    return value
