"""What the comparison knows about any server: a folder, a free port, a process it starts and stops by its id."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

DOMAIN = "localhost"
PASSWORD = "secret"
START_SECONDS_MAX = 120


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def certificate(folder: Path) -> tuple[Path, Path]:
    """One ECDSA P-256 certificate and its key for all servers."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    if not cert.exists():
        folder.mkdir(parents=True, exist_ok=True)
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
            + ["-days", "30", "-subj", f"/CN={DOMAIN}", "-addext", f"subjectAltName=DNS:{DOMAIN}"]
            + ["-keyout", str(key), "-out", str(cert)],
            check=True,
            stderr=subprocess.DEVNULL,
        )
    return cert, key


class Server:
    """One server in one variant. A `with` block starts it on an empty store and stops it at the end."""

    name = "?"
    # The path at which streams go over WebSocket.
    websocket = "?"

    def __init__(self, work: Path, variant: str, accounts: int):
        self.variant = variant
        self.accounts = accounts
        self.folder = work / "run" / f"{self.name}-{variant}"
        self.cert, self.key = certificate(work)
        self.port = free_port()
        self.web_port = free_port()
        self.process: subprocess.Popen | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.variant}"

    @property
    def storage(self) -> str:
        """The variant without what follows `+`."""
        return self.variant.partition("+")[0]

    @property
    def is_managed(self) -> bool:
        """Whether it has stream management: the variant ends with `+sm`."""
        return self.variant.endswith("+sm")

    @property
    def has_pubsub(self) -> bool:
        """Whether it has a publish-subscribe service, where u1 may create nodes: the variant ends with `+pubsub`."""
        return self.variant.endswith("+pubsub")

    @property
    def has_rooms(self) -> bool:
        """Whether it has rooms, with an archive: the variant ends with `+rooms`."""
        return self.variant.endswith("+rooms")

    @property
    def has_web(self) -> bool:
        """Whether it has a port for HTTP over TLS, where streams go over WebSocket: the variant ends with `+web`."""
        return self.variant.endswith("+web")

    def __enter__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        command, environment = self.prepare()
        self.launch(command, environment)
        try:
            self.make_accounts()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_):
        self.stop()

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        """Writes the configuration; returns the foreground command and what to add to the environment."""
        raise NotImplementedError

    def make_accounts(self) -> None:
        """Makes u1 to uN once the server runs, unless `prepare` did."""

    def is_ready(self) -> bool:
        """Whether clients are accepted."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.web_port if self.has_web else self.port)) == 0

    def launch(self, command: list[str], environment: dict[str, str]) -> None:
        """Starts `command` and waits until it accepts clients."""
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

    def stop(self) -> None:
        """Ends the process by its id."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
