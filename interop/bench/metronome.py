"""Our own server in the comparison: all that knows its configuration keys and its control utility is here."""

import os
import selectors
import subprocess
import time
from pathlib import Path

from servers import DOMAIN, PASSWORD, Server

RELEASE = Path(__file__).resolve().parents[2] / "target/release"
READY_SECONDS_MAX = 10


class Metronome(Server):
    """Variants: `volatile` (nothing stored) and `durable` (every message on disk before it is seen). Both have stream management and
    a publish-subscribe service; with `+pubsub` nobody is told that too many are, with `+web` there is HTTP, and files may be large."""

    name = "metronome"
    websocket = "/xmpp-websocket"

    @property
    def socket(self) -> Path:
        """The control socket."""
        return self.folder / "control.sock"

    def prepare(self):
        storage = '[storage]\nmessages = "volatile"\n' if self.storage == "volatile" else ""
        pubsub = 'pubsub = { notifications = "1000000000/min" }\n' if self.has_pubsub else ""
        upload = '[upload]\nsize = "2 GiB"\nquota = "4 GiB"\n' if self.has_web else ""
        (self.folder / "metronome.toml").write_text(f"""
domain = "{DOMAIN}"
[server]
data = "{self.folder}/data"
[listen]
c2s = ["127.0.0.1:{self.port}"]
c2s_tls = []
s2s = []
s2s_tls = []
http = []
https = [{f'"127.0.0.1:{self.web_port}"' if self.has_web else ""}]
metrics = []
[control]
socket = "{self.socket}"
[tls]
files = {{ cert = "{self.cert}", key = "{self.key}" }}
{storage}
# The peers run without a limit on input, too.
[limits]
c2s = {{ bytes = "1 GiB/s", burst = "1 GiB" }}
{pubsub}{upload}[log]
level = "{self.log_level()}"
""")
        return [str(RELEASE / "metronome"), "--config", f"{self.folder}/metronome.toml"], {}

    def log_level(self) -> str:
        """As the peers."""
        return "error"

    def make_accounts(self):
        with open(self.folder / "accounts.log", "wb") as log:
            subprocess.run(self.accounts_command(), shell=True, check=True, stdout=log, stderr=log)

    def accounts_command(self) -> str:
        """A shell command that makes the accounts while the server runs."""
        verbs = f"seq 1 {self.accounts} | sed 's/.*/user add u&@{DOMAIN} password={PASSWORD}/'"
        return f"{verbs} | {RELEASE}/metronomectl --socket {self.socket} --batch --jobs 4"


class Noisy(Metronome):
    """The same with its default log, which says when it is ready."""

    def log_level(self):
        return "info"

    def ms_to_ready(self) -> float:
        """Milliseconds from exec to the word `ready` in its output, on an empty store."""
        self.folder.mkdir(parents=True)
        command, environment = self.prepare()
        start = time.perf_counter()
        self.process = subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=self.folder
        )
        try:
            return (self._time_of_ready(start + READY_SECONDS_MAX) - start) * 1000
        finally:
            self.stop()

    def _time_of_ready(self, end: float) -> float:
        output, seen = self.process.stdout.fileno(), b""
        with selectors.DefaultSelector() as ready:
            ready.register(output, selectors.EVENT_READ)
            while ready.select(max(end - time.perf_counter(), 0)):
                piece = os.read(output, 4096)
                seen += piece
                if b"ready" in seen:
                    return time.perf_counter()
                if not piece:
                    break
        raise RuntimeError(f"{self} did not say that it is ready: {seen.decode(errors='replace')}")
