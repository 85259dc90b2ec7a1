"""Prosody of Debian."""

import packages
import programs
from network import CLIENTS
from server import ARCHIVE, NOTHING, PASSWORD, Server


class Prosody(Server):
    """One connection for both directions where that is wanted, by its module s2s_bidi."""

    name = "prosody"
    has_nodes = True

    def prepare(self):
        modules = ["roster", "saslauth", "tls", "disco", "ping", "pep"]
        modules += ["mam"] if self.purpose.storage == ARCHIVE else []
        modules += ["dialback"] if self.way.has_dialback else []
        modules += ["s2s_bidi"] if self.way.is_bidi else []
        names = self.network.zone
        # Only administrators of its service may create nodes there.
        people = "; ".join(f'"u{number}@{self.domain}"' for number in range(1, self.purpose.accounts + 1))
        (self.folder / "prosody.cfg.lua").write_text(f"""
run_as_root = true
pidfile = "{self.folder}/prosody.pid"
log = {{ {self.purpose.log_level} = "*console" }}
interfaces = {{ "{self.address}" }}
c2s_ports = {{ }}
c2s_direct_tls_ports = {{ {CLIENTS} }}
s2s_ports = {{ {"" if self.way.is_direct else self.way.port} }}
s2s_direct_tls_ports = {{ {self.way.port if self.way.is_direct else ""} }}
modules_enabled = {{ {"; ".join(f'"{name}"' for name in modules)} }}
{'modules_disabled = { "offline" }' if self.purpose.storage == NOTHING else ""}
storage = "internal"
authentication = "internal_hashed"
s2s_secure_auth = {"true" if self.way.is_certified else "false"}
ssl = {{ certificate = "{self.cert}"; key = "{self.key}"; cafile = "{self.network.authority.certificate}" }}
c2s_direct_tls_ssl = {{ certificate = "{self.cert}"; key = "{self.key}" }}
unbound = {{
    resolvconf = false; hoststxt = false; forward = {{ "{names.address}@{names.port}" }};
    options = {{ ["do-not-query-localhost:"] = "no"; ["module-config:"] = "iterator" }};
}}
default_archive_policy = true
archive_expires_after = "never"
VirtualHost "{self.domain}"
Component "rooms.{self.domain}" "muc"
Component "pubsub.{self.domain}" "pubsub"
    admins = {{ {people} }}
""")
        programs.prosody_accounts(self.folder, self.domain, PASSWORD, self.purpose.accounts)
        return programs.prosody(packages.unpacked(), self.folder)
