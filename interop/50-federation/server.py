"""What the tests know about any server: its domain and address, its accounts u1 to uN, how it is started and stopped."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

from network import CLIENTS, Network

PASSWORD = "secret"
START_SECONDS_MAX = 120
STOP_SECONDS_MAX = 60
# `/proc/net/tcp` calls an open connection so.
ESTABLISHED = "01"
# Nothing is stored; what people have missed is; every message is (ours stores every message for the last two).
NOTHING, OFFLINE, ARCHIVE = "nothing", "offline", "archive"


@dataclass(frozen=True)
class Purpose:
    """What a server is for: how many accounts, what it stores of messages, how much it logs."""

    accounts: int = 200
    storage: str = OFFLINE
    log_level: str = "info"


class Server:
    """One server of a network. It keeps its store when it is stopped and started again."""

    name = "?"
    # Whether its people have nodes (XEP-0163), and its domain a publish-subscribe service where all of them may create some.
    has_nodes = False

    def __init__(self, network: Network, domain: str | None = None, purpose: Purpose = Purpose()):
        self.network, self.way, self.purpose = network, network.way, purpose
        self.domain = domain or f"{self.name}.example"
        self.address = network.join(self.domain)
        self.cert, self.key = network.certificate(self.domain)
        self.folder = network.folder / self.domain
        self.folder.mkdir()
        self.process: subprocess.Popen | None = None
        self._program = self.prepare()
        self._people = 0

    def __str__(self) -> str:
        return self.name

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        """Writes the configuration; returns the foreground command and what to add to the environment."""
        raise NotImplementedError

    def welcome(self) -> None:
        """Makes the accounts when it runs for the first time, unless the program has done so."""

    def is_ready(self) -> bool:
        """Whether clients are accepted."""
        with socket.socket() as probe:
            return probe.connect_ex((self.address, CLIENTS)) == 0

    def start(self) -> None:
        """Starts it and waits until it accepts clients."""
        is_new = self.process is None
        command, environment = self._program
        log = open(self.folder / "output.log", "ab")
        self.process = subprocess.Popen(
            command, env=os.environ | environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.folder
        )
        end = time.monotonic() + START_SECONDS_MAX
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise RuntimeError(f"{self} did not start, see {self.folder}/output.log")
            time.sleep(0.05)
        if is_new:
            self.welcome()

    def stop(self) -> None:
        """Ends the process by its id, in order."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise RuntimeError(f"{self} did not stop") from None

    def new_user(self) -> str:
        """An account that no test has had yet."""
        self._people += 1
        assert self._people <= self.purpose.accounts, "the accounts are used up"
        return f"u{self._people}"

    def accepted(self) -> int:
        """How many connections of other servers are open that others have made."""
        place = socket.inet_aton(self.address)[::-1].hex().upper() + f":{self.way.port:04X}"
        with open("/proc/net/tcp") as table:
            return sum(line.split()[1] == place and line.split()[3] == ESTABLISHED for line in table)
