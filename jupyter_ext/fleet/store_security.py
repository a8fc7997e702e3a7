"""Protects the embedded store's internal ports.

SeaweedFS consists of several servers that talk to each other. Without this, anybody who can reach
127.0.0.1, which includes every kernel, could read, change and delete everything through them; only
the S3 port authenticates its callers.
"""

from __future__ import annotations

import datetime
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from jupyter_ext.platform.private_file import write_private

SERVERS = ("master", "volume", "filer", "s3", "client")
SIGNED = ("signing", "signing.read", "filer_signing", "filer_signing.read")
CERTIFICATE_DAYS = 100 * 365


def create_store_security(folder: Path) -> None:
    """Write ``security.toml`` (for ``weed -config_dir``) and the certificate that all its servers
    show each other, unless they exist."""
    document = folder / "security.toml"
    if document.exists():
        return
    folder.mkdir(mode=0o700, exist_ok=True)
    certificate, key = folder / "store.crt", folder / "store.key"
    certificate_pem, key_pem = own_certificate()
    write_private(certificate, certificate_pem)
    write_private(key, key_pem)
    write_private(
        document, security_toml(certificate, key, [secrets.token_hex(32) for _ in SIGNED])
    )


def security_toml(certificate: Path, key: Path, words: list[str]) -> str:
    """gRPC only with the certificate, HTTP only with tokens signed with ``words``, one for each of
    `SIGNED`."""
    lines = ["[grpc]", f'ca = "{certificate}"']
    for server in SERVERS:
        lines += [f"[grpc.{server}]", f'cert = "{certificate}"', f'key = "{key}"']
    for name, word in zip(SIGNED, words, strict=True):
        lines += [f"[jwt.{name}]", f'key = "{word}"', "expires_after_seconds = 60"]
    lines += ["[access]", "ui = false", "[filer.expose_directory_metadata]", "enabled = false"]
    return "\n".join([*lines, ""])


def own_certificate() -> tuple[str, str]:
    """A certificate that is its own authority, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jupyter-fleet-store")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    key_pem = key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(pem).decode(), key_pem.decode()
