"""Prosody and ejabberd, configured for the comparison of docs/bench.md.

Both run in the foreground as children of the script, on loopback only, with their logs at level error.
"""

import hashlib
import hmac
import sqlite3
from pathlib import Path

import packages
from servers import DOMAIN, PASSWORD, Server


class Prosody(Server):
    """Variants: `none` (nothing stored), `files` and `sqlite` (archive of every message); with `+sm` stream management."""

    name = "prosody"

    STORAGE = {
        "none": 'storage = "internal"; modules_disabled = { "s2s", "offline" }',
        "files": 'storage = "internal"; modules_disabled = { "s2s" }',
        "sqlite": 'default_storage = "sql"; storage = { accounts = "internal" }; modules_disabled = { "s2s" }\n'
        'sql = { driver = "SQLite3", database = "prosody.sqlite" }',
    }

    def prepare(self):
        root = packages.unpacked(self.folder.parents[1])
        usr, libraries = root / "usr", packages.libraries(root)
        more = ("" if self.storage == "none" else '; "mam"') + ('; "smacks"' if self.is_managed else "")
        # Without this folder it complains about certificates on each start.
        (self.folder / "certs").mkdir()
        (self.folder / "prosody.cfg.lua").write_text(f"""
run_as_root = true
pidfile = "{self.folder}/prosody.pid"
log = {{ error = "*console" }}
interfaces = {{ "127.0.0.1" }}
c2s_ports = {{ {self.port} }}
c2s_direct_tls_ports = {{ }}
modules_enabled = {{ "roster"; "saslauth"; "tls"; "disco"; "ping"{more} }}
authentication = "internal_hashed"
c2s_require_encryption = true
ssl = {{ certificate = "{self.cert}"; key = "{self.key}"; protocol = "tlsv1_2+" }}
default_archive_policy = true
archive_expires_after = "never"
{self.STORAGE[self.storage]}
VirtualHost "{DOMAIN}"
""")
        self._write_accounts(self.folder / "data" / DOMAIN / "accounts")
        # The packaged launcher has the paths of an installation compiled in.
        launcher = (usr / "bin/prosody").read_text()
        for name, value in {
            "CFG_SOURCEDIR": f"{usr}/lib/prosody",
            "CFG_CONFIGDIR": f"{self.folder}",
            "CFG_PLUGINDIR": f"{usr}/lib/prosody/modules/",
            "CFG_DATADIR": f"{self.folder}/data",
        }.items():
            start = launcher.index(f"\n{name}='") + 1
            launcher = launcher[:start] + f"{name}='{value}'" + launcher[launcher.index(";", start) :]
        (self.folder / "prosody.lua").write_text(launcher)
        lua = usr / "share/lua/5.4"
        return [str(usr / "bin/lua5.4"), "prosody.lua", "-F", "--config", f"{self.folder}/prosody.cfg.lua"], {
            "LUA_PATH": f"{lua}/?.lua;{lua}/?/init.lua;;",
            "LUA_CPATH": f"{libraries}/lua/5.4/?.so;;",
            "LD_LIBRARY_PATH": str(libraries),
        }

    def _write_accounts(self, folder: Path) -> None:
        """The files of mod_auth_internal_hashed; all accounts share one salt, which no login notices."""
        salt, iterations = "c0ffee00-0000-4000-8000-000000000000", 10_000
        salted = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt.encode(), iterations)
        stored = hashlib.sha1(hmac.digest(salted, b"Client Key", "sha1")).hexdigest()
        server = hmac.digest(salted, b"Server Key", "sha1").hex()
        text = (
            f'return {{\n\t["iteration_count"] = {iterations};\n\t["salt"] = "{salt}";\n'
            f'\t["stored_key"] = "{stored}";\n\t["server_key"] = "{server}";\n}};\n'
        )
        folder.mkdir(parents=True)
        for number in range(1, self.accounts + 1):
            (folder / f"u{number}.dat").write_text(text)


class Ejabberd(Server):
    """Variants: `none` (nothing stored), `mnesia` and `sqlite` (archive of every message); with `+sm` stream management."""

    name = "ejabberd"

    ARCHIVE = """
  mod_mam:
    db_type: {0}
    default: always
  mod_offline:
    db_type: {0}
"""

    def prepare(self):
        root = packages.unpacked(self.folder.parents[1])
        libraries, erlang = packages.libraries(root), root / "usr/lib/erlang"
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
modules:
  mod_disco: {{}}
  mod_roster: {{}}
{"  mod_stream_mgmt: {}" if self.is_managed else ""}
{self.ARCHIVE.format(database) if database else ""}
""")
        if database == "sql":
            self._create_database(libraries)
        runtime = next(erlang.glob("erts-*"))
        command = [str(runtime / "bin/erlexec"), "-noinput", "-boot", str(erlang / "bin/start_clean")]
        # The packaged ejabberdctl starts it with these two; no node name, hence no epmd.
        command += ["+K", "true", "+P", "250000", "-mnesia", "dir", f'"{self.folder}/mnesia"']
        command += ["-s", "ejabberd", "-eval", self._accounts()]
        return command, {
            "ROOTDIR": str(erlang),
            "BINDIR": str(runtime / "bin"),
            "EMU": "beam",
            "PROGNAME": "erl",
            "ERL_LIBS": str(libraries),
            "ERL_CRASH_DUMP": f"{self.folder}/crash.dump",
            "EJABBERD_CONFIG_PATH": f"{self.folder}/ejabberd.yml",
            "EJABBERD_LOG_PATH": f"{self.folder}/ejabberd.log",
            "LD_LIBRARY_PATH": str(libraries),
        }

    def is_ready(self):
        return (self.folder / "ready").exists() and super().is_ready()

    def _accounts(self) -> str:
        """Erlang: registers u1 and gives all others a copy of its row, then says that the server is ready."""
        return f"""
            {{ok, _}} = application:ensure_all_started(ejabberd),
            _ = ejabberd_auth:try_register(<<"u1">>, <<"{DOMAIN}">>, <<"{PASSWORD}">>),
            [Row] = mnesia:dirty_read(passwd, {{<<"u1">>, <<"{DOMAIN}">>}}),
            [mnesia:dirty_write(passwd, setelement(2, Row, {{<<"u", (integer_to_binary(N))/binary>>, <<"{DOMAIN}">>}}))
                || N <- lists:seq(2, {self.accounts})],
            file:write_file("{self.folder}/ready", <<"ok">>).
        """

    def _create_database(self, libraries: Path) -> None:
        schema = next(libraries.glob("ejabberd-*/priv/sql/lite.sql")).read_text()
        with sqlite3.connect(self.folder / "ejabberd.sqlite") as database:
            database.executescript(schema)
