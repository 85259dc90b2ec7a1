"""Certificates for servers: signed by an authority of the test, or by nobody but themselves."""

import subprocess
from pathlib import Path

CONFIG = """
[req]
distinguished_name = name
prompt = no
x509_extensions = extensions
[name]
CN = {name}
[extensions]
{extensions}
"""
# The rooms and nodes of a domain are domains of their own to other servers.
SERVER = "subjectAltName = DNS:{0}, DNS:rooms.{0}, DNS:pubsub.{0}\nbasicConstraints = critical, CA:FALSE\nkeyUsage = digitalSignature\nextendedKeyUsage = {1}"
# What a certificate may be used for. Between servers the one that connects shows it as a client does.
SERVERS_ONLY, SERVERS_AND_CLIENTS = "serverAuth", "serverAuth, clientAuth"
AUTHORITY = "basicConstraints = critical, CA:TRUE\nkeyUsage = keyCertSign, cRLSign\nsubjectKeyIdentifier = hash"


class Authority:
    """One authority, whose certificate is `ca.pem` in its folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.certificate, self._key = _made(folder, "ca", "An authority for tests", AUTHORITY)

    def signed(self, domain: str, usages: str) -> tuple[Path, Path]:
        """A certificate of a domain and of its publish-subscribe service, and its key."""
        by = ["-CA", str(self.certificate), "-CAkey", str(self._key)]
        return _made(self.folder, domain, domain, SERVER.format(domain, usages), *by)

    def self_signed(self, domain: str) -> tuple[Path, Path]:
        """A certificate that nobody can trust, and its key."""
        return _made(self.folder, f"{domain}-self", domain, SERVER.format(domain, SERVERS_AND_CLIENTS))


def _made(folder: Path, file: str, name: str, extensions: str, *more: str) -> tuple[Path, Path]:
    certificate, key, config = (folder / f"{file}.{end}" for end in ("pem", "key", "cnf"))
    if not certificate.exists():
        config.write_text(CONFIG.format(name=name, extensions=extensions))
        command = ["openssl", "req", "-x509", "-config", str(config), "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        command += ["-nodes", "-days", "30", "-keyout", str(key), "-out", str(certificate), *more]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    return certificate, key
