"""Our own server with its settings for federation as installed; what differs is what a test needs to reach it."""

import os
import subprocess
from pathlib import Path

from network import CLIENTS, SERVERS, SERVERS_TLS
from server import NOTHING, PASSWORD, Server

ROOT = Path(__file__).resolve().parents[2]


class Metronome(Server):
    """The program that METRONOME names, or the one that `cargo build` makes."""

    name = "metronome"
    has_nodes = True
    program = Path(os.environ.get("METRONOME", ROOT / "target/debug/metronome"))

    def prepare(self):
        servers = '"' + self.address + (f':{SERVERS_TLS}"' if self.way.is_direct else f':{SERVERS}"')
        (self.folder / "metronome.toml").write_text(f"""
domain = "{self.domain}"
[server]
data = "{self.folder}/data"
[listen]
c2s = []
c2s_tls = ["{self.address}:{CLIENTS}"]
s2s = [{"" if self.way.is_direct else servers}]
s2s_tls = [{servers if self.way.is_direct else ""}]
http = []
https = []
metrics = []
[control]
socket = "{self.folder}/control.sock"
[tls]
files = {{ cert = "{self.cert}", key = "{self.key}" }}
[dns]
server = ["{self.network.zone.address}:{self.network.zone.port}"]
[federation]
allow_addresses = ["{self.network.trusted}"]
ca = "{self.network.authority.certificate}"
[storage]
messages = "{"volatile" if self.purpose.storage == NOTHING else "durable"}"
[auth]
mechanisms = ["SCRAM-SHA-1", "PLAIN"]
iterations = 4096
# The peers run without a limit on input, too.
[limits]
c2s = {{ bytes = "1 GiB/s", burst = "1 GiB" }}
s2s = {{ bytes = "1 GiB/s", burst = "1 GiB" }}
[log]
level = "{self.purpose.log_level}"
""")
        return [str(self.program), "--config", f"{self.folder}/metronome.toml"], {}

    def welcome(self):
        verbs = "".join(f"user add u{n}@{self.domain} password={PASSWORD}\n" for n in range(1, self.purpose.accounts + 1))
        command = [self.program.parent / "metronomectl", "--socket", f"{self.folder}/control.sock", "--batch", "--jobs", "4"]
        with open(self.folder / "accounts.log", "wb") as log:
            subprocess.run(command, input=verbs.encode(), check=True, stdout=log, stderr=log)
