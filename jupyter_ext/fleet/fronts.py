"""nginx's configurations, for people and for kernels: ``deploy/nginx`` with the addresses filled
in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from jupyter_ext.fleet.advertised_address import in_url
from jupyter_ext.fleet.browser_address import listen_addresses
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.ports import FRONT_INSIDE, KERNEL_FRONT
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings


def front_config(template: str, settings: Settings, data_dir: DataDir, *, as_root: bool) -> str:
    """The front's: ``fleet.conf.template``."""
    return _filled_in(
        template,
        {
            "LISTEN": "\n        ".join(_listens(settings, SecretFiles(data_dir.secrets))),
            # Errors quote requests, with the tokens that are in their addresses.
            "ERRORS": "crit" if settings.token_in_url else "warn",
            "LABS": _labs(settings, "max_fails=0"),
            "PAGE_LABS": _labs(settings, "max_fails=1 fail_timeout=5s"),
            "STATE": str(data_dir.front),
            "USER": _user(as_root),
        },
    )


def kernel_front_config(
    template: str,
    settings: Settings,
    data_dir: DataDir,
    *,
    as_root: bool,
    addresses: Sequence[str] = (),
) -> str:
    """That of the front's listener for kernels: ``kernels.conf.template``. Clusters reach it at
    ``addresses``."""
    port = settings.ports[KERNEL_FRONT]
    listens = [f"listen {in_url(one)}:{port};" for one in dict.fromkeys(["127.0.0.1", *addresses])]
    return _filled_in(
        template,
        {
            "LISTEN": "\n        ".join(listens),
            "LABS": _labs(settings, "max_fails=0"),
            "STATE": str(data_dir.front),
            "USER": _user(as_root),
        },
    )


def _listens(settings: Settings, secrets: SecretFiles) -> list[str]:
    """The front's directives for its addresses, and with a certificate for https."""
    addresses = [in_url(one) for one in listen_addresses(settings.listen)]
    if not settings.serves_https:
        return [f"listen {one}:{settings.port};" for one in addresses]
    certificate = settings.tls_cert or str(secrets.front_certificate)
    return [
        *(f"listen {one}:{settings.port} ssl;" for one in addresses),
        # A reload is needed when the file has changed, and only then.
        f"# certificate {hashlib.sha256(Path(certificate).read_bytes()).hexdigest()[:16]}",
        f'ssl_certificate "{certificate}";',
        f'ssl_certificate_key "{settings.tls_key or certificate}";',
        "ssl_protocols TLSv1.2 TLSv1.3;",
        f"listen 127.0.0.1:{settings.ports[FRONT_INSIDE]};",
    ]


def _filled_in(template: str, values: Mapping[str, str]) -> str:
    head, separator, body = template.partition("\ndaemon off;")
    # The head explains the marks themselves.
    return head + separator + re.sub(r"@([A-Z_]+)@", lambda found: values[found[1]], body)


def _labs(settings: Settings, options: str) -> str:
    ports = [settings.ports[name] for name in settings.lab_names]
    return "\n        ".join(f"server 127.0.0.1:{port} {options};" for port in ports)


def _user(as_root: bool) -> str:
    # Another user could not pass the data directory.
    return "user root;" if as_root else ""
