"""Where Hadoop's configuration says that the ResourceManagers are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

from jupyter_ext.fleet.failure import FleetError

FILE = "yarn-site.xml"

_HOST = "yarn.resourcemanager.hostname"
_WEB = "yarn.resourcemanager.webapp.address"
_SECURE_WEB = "yarn.resourcemanager.webapp.https.address"
_PORTS = {_WEB: 8088, _SECURE_WEB: 8090}
_VARIABLE = re.compile(r"\$\{([^}$\s]+)\}")
_MOST_SUBSTITUTIONS = 20
"""Hadoop's own limit."""
_ANY_ADDRESS = ("0.0.0.0", "::", "[::]")  # noqa: S104 - what is not an address to dial


def read_resource_managers(folder: str) -> list[str]:
    """The URLs of the ResourceManagers' REST interfaces, from ``yarn-site.xml`` in ``folder``.

    Raises `FleetError` if there is no such file, or if it does not say where they are.
    """
    file = Path(folder) / FILE
    if not Path(folder).is_dir():
        raise FleetError(f"--yarn-conf {folder} is not a folder: name the one with {FILE} in it")
    try:
        properties = properties_of(file.read_bytes())
    except OSError as error:
        raise FleetError(f"--yarn-conf: {file} cannot be read: {error.strerror}") from error
    except ElementTree.ParseError as error:
        raise FleetError(f"--yarn-conf: {file} is not XML: {error}") from error
    found = resource_managers(properties)
    if not found:
        raise FleetError(
            f"--yarn-conf: {file} does not say where the ResourceManager is: it needs {_HOST} or"
            f" {_WEB} (with several ResourceManagers, yarn.resourcemanager.ha.rm-ids and one of"
            " them for each id)"
        )
    return found


def properties_of(text: bytes) -> dict[str, str]:
    """The properties of one of Hadoop's configuration files; raises ElementTree.ParseError."""
    found = {}
    # The file is the operator's own.
    for one in ElementTree.fromstring(text).iter("property"):  # noqa: S314
        name, value = one.findtext("name"), one.findtext("value")
        if name and value is not None:
            found[name.strip()] = value.strip()
    return found


def resource_managers(properties: Mapping[str, str]) -> list[str]:
    """The URLs of the ResourceManagers, in the order of their ids; those without an address are
    left out."""
    secure = properties.get("yarn.http.policy") == "HTTPS_ONLY"
    web = _SECURE_WEB if secure else _WEB
    available = properties.get("yarn.resourcemanager.ha.enabled", "").lower() == "true"
    ids = properties.get("yarn.resourcemanager.ha.rm-ids", "") if available else ""
    suffixes = [f".{one.strip()}" for one in ids.split(",") if one.strip()] or [""]
    found = [_address(properties, web, suffix) for suffix in suffixes]
    return [f"{'https' if secure else 'http'}://{address}" for address in found if address]


def _address(properties: Mapping[str, str], web: str, suffix: str) -> str | None:
    """``HOST:PORT``, of the property itself or of the host name and the usual port."""
    address = _value(properties, web + suffix)
    if not address:
        host = _value(properties, _HOST + suffix)
        address = f"{host}:{_PORTS[web]}" if host else ""
    host, separator, port = address.rpartition(":")
    if not separator:
        host, port = address, str(_PORTS[web])
    if not host or host in _ANY_ADDRESS or not port.isdecimal() or "$" in host:
        return None
    return f"{host}:{port}"


def _value(properties: Mapping[str, str], name: str) -> str:
    """A property with the properties that it names filled in, as Hadoop does it."""
    value = properties.get(name, "")
    for _ in range(_MOST_SUBSTITUTIONS):
        filled = _VARIABLE.sub(lambda found: properties.get(found[1], found[0]), value)
        if filled == value:
            break
        value = filled
    return value
