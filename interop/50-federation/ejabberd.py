"""ejabberd of Debian."""

import packages
import programs
from network import CLIENTS
from server import ARCHIVE, NOTHING, OFFLINE, PASSWORD, Server


class Ejabberd(Server):
    """It has no way to use one connection for both directions."""

    name = "ejabberd"

    def prepare(self):
        both = self.folder / "both.pem"
        both.write_text(self.cert.read_text() + self.key.read_text())
        names = self.network.numbers
        erlang_address = "{" + names.address.replace(".", ",") + "}"
        (self.folder / "inetrc").write_text(
            f'{{resolv_conf, ""}}.\n{{lookup, [file, dns]}}.\n{{nameserver, {erlang_address}, {names.port}}}.\n{{cache_size, 0}}.\n'
        )
        (self.folder / "ejabberd.yml").write_text(f"""
hosts: [ {self.domain} ]
loglevel: {self.purpose.log_level}
certfiles: [ {both} ]
ca_file: {self.network.authority.certificate}
auth_method: internal
auth_password_format: scram
auth_scram_hash: sha
s2s_use_starttls: required
outgoing_s2s_families: [ ipv4 ]
# It does not try again before: what is sent in between comes back.
s2s_max_retry_delay: 1
listen:
  -
    port: {CLIENTS}
    ip: "{self.address}"
    module: ejabberd_c2s
    max_stanza_size: 262144
    shaper: none
    access: all
    backlog: 1024
    tls: true
  -
    port: {self.way.port}
    ip: "{self.address}"
    module: ejabberd_s2s_in
    max_stanza_size: 524288
    shaper: none
    tls: {"true" if self.way.is_direct else "false"}
modules:
  mod_disco: {{}}
  mod_roster: {{}}
  mod_ping: {{}}
  mod_muc:
    host: "rooms.@HOST@"
{"  mod_s2s_dialback: {}" if self.way.has_dialback else ""}
{self._storage()}
""")
        code = programs.ejabberd_accounts(self.folder, self.domain, PASSWORD, self.purpose.accounts)
        command, environment = programs.ejabberd(packages.unpacked(), self.folder, code)
        return command, environment | {"ERL_INETRC": f"{self.folder}/inetrc"}

    def _storage(self) -> str:
        offline = "  mod_offline:\n    access_max_user_messages: 100000"
        archive = "  mod_mam:\n    default: always"
        return {NOTHING: "", OFFLINE: offline, ARCHIVE: f"{archive}\n{offline}"}[self.purpose.storage]

    def start(self):
        (self.folder / "ready").unlink(missing_ok=True)
        super().start()

    def is_ready(self):
        return (self.folder / "ready").exists() and super().is_ready()
