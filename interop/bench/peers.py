"""Prosody and ejabberd, configured for the comparison of docs/bench.md.

Both run in the foreground as children of the script, on loopback only, with their logs at level error.
"""

import sqlite3
from pathlib import Path

import packages
import programs
from servers import DOMAIN, PASSWORD, Server


class Prosody(Server):
    """Variants: `none` (nothing stored), `files` and `sqlite` (archive of every message); with `+sm` stream management, with
    `+pubsub` a publish-subscribe service, with `+rooms` rooms whose messages are kept, with `+web` streams over WebSocket."""

    name = "prosody"
    websocket = "/xmpp-websocket"

    STORAGE = {
        "none": 'storage = "internal"; modules_disabled = { "s2s", "offline" }',
        "files": 'storage = "internal"; modules_disabled = { "s2s" }',
        "sqlite": 'default_storage = "sql"; storage = { accounts = "internal" }; modules_disabled = { "s2s" }\n'
        'sql = { driver = "SQLite3", database = "prosody.sqlite" }',
    }

    ROOMS = f"""
Component "rooms.{DOMAIN}" "muc"
    modules_enabled = {{ "muc_mam" }}
    muc_log_by_default = true
    muc_log_expires_after = "never"
"""

    def prepare(self):
        root = packages.unpacked(self.folder.parents[1])
        more = ("" if self.storage == "none" else '; "mam"') + ('; "smacks"' if self.is_managed else "")
        more += '; "websocket"' if self.has_web else ""
        (self.folder / "prosody.cfg.lua").write_text(f"""
run_as_root = true
pidfile = "{self.folder}/prosody.pid"
log = {{ error = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{ }}
http_ports = {{ }}
https_ports = {{ {self.web_port if self.has_web else ""} }}
https_interfaces = {{ "127.0.0.1" }}
https_ssl = {{ certificate = "{self.cert}"; key = "{self.key}"; protocol = "tlsv1_2+" }}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"{more} }}
authentication = "internal_hashed"
c2s_require_encryption = true
ssl = {{ certificate = "{self.cert}"; key = "{self.key}"; protocol = "tlsv1_2+" }}
default_archive_policy = true
archive_expires_after = "never"
{self.STORAGE[self.storage]}
{f'admins = {{ "u1@{DOMAIN}" }}' if self.has_pubsub else ""}
VirtualHost "{DOMAIN}"
{f'Component "pubsub.{DOMAIN}" "pubsub"' if self.has_pubsub else ""}
{self.ROOMS if self.has_rooms else ""}
""")
        programs.prosody_accounts(self.folder, DOMAIN, PASSWORD, self.accounts)
        return programs.prosody(root, self.folder)


class Ejabberd(Server):
    """Variants: `none` (nothing stored), `mnesia` and `sqlite` (archive of every message); with `+sm` stream management, with
    `+pubsub` a publish-subscribe service, with `+rooms` rooms whose messages are kept, with `+web` streams over WebSocket."""

    name = "ejabberd"
    websocket = "/ws"

    # As large as the rooms are, and without the pauses that it makes between presences.
    ROOMS = """
  mod_muc:
    host: "rooms.@HOST@"
    max_users: 5000
    max_users_presence: 5000
    history_size: 20
    default_room_options:
      mam: true
      max_users: 5000
"""

    WEB = """
  -
    port: {port}
    ip: "127.0.0.1"
    module: ejabberd_http
    tls: true
    request_handlers:
      /ws: ejabberd_http_ws
"""

    ARCHIVE = """
  mod_mam:
    db_type: {0}
    default: always
  mod_offline:
    db_type: {0}
"""

    def prepare(self):
        root = packages.unpacked(self.folder.parents[1])
        libraries = packages.libraries(root)
        pem = self.folder / "both.pem"
        pem.write_text(self.cert.read_text() + self.key.read_text())
        database = {"none": "", "mnesia": "mnesia", "sqlite": "sql"}[self.storage]
        (self.folder / "ejabberd.yml").write_text(f"""
hosts: [ {DOMAIN} ]
loglevel: error
certfiles: [ {pem} ]
auth_method: internal
auth_password_format: scram
auth_scram_hash: sha
sql_type: sqlite
sql_database: {self.folder}/ejabberd.sqlite
listen:
  -
    port: {self.port}
    ip: "127.0.0.1"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: none
    access: all
    backlog: 1024
    starttls_required: true
{self.WEB.format(port=self.web_port) if self.has_web else ""}
modules:
  mod_disco: {{}}
  mod_roster: {{}}
{"  mod_stream_mgmt: {}" if self.is_managed else ""}
{"  mod_pubsub: {}" if self.has_pubsub else ""}
{self.ROOMS if self.has_rooms else ""}
{self.ARCHIVE.format(database) if database else ""}
""")
        if database == "sql":
            self._create_database(libraries)
        return programs.ejabberd(root, self.folder, programs.ejabberd_accounts(self.folder, DOMAIN, PASSWORD, self.accounts))

    def is_ready(self):
        return (self.folder / "ready").exists() and super().is_ready()

    def _create_database(self, libraries: Path) -> None:
        schema = next(libraries.glob("ejabberd-*/priv/sql/lite.sql")).read_text()
        with sqlite3.connect(self.folder / "ejabberd.sqlite") as database:
            database.executescript(schema)
