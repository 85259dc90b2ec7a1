"""Two servers of one kind that federate: messages from people of one to people of the other cross one TLS connection.

Called by the comparison; the servers are those of the tests of federation, with their logs at level error.
"""

import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "50-federation"))

import ejabberd  # noqa: E402
import ours  # noqa: E402
import prosody  # noqa: E402
from network import CLIENTS, Network, Way  # noqa: E402
from server import ARCHIVE, NOTHING, Purpose  # noqa: E402

from metronome import RELEASE  # noqa: E402

LINKS = "links.example"
# Only one side writes, so one of the two directions is all that is measured, whoever could do both on one connection.
WAY = Way("STARTTLS and certificates")


class Metronome(ours.Metronome):
    """The program as it is released."""

    program = RELEASE / "metronome"


PEERS = {NOTHING: [(kind, NOTHING) for kind in (prosody.Prosody, ejabberd.Ejabberd)]}
PEERS[ARCHIVE] = [(kind, ARCHIVE) for kind, _ in PEERS[NOTHING]]


def between_two(kind, storage: str, pairs: int, work: Path, measure) -> dict:
    """What `measure(here, there, options)` finds of two servers on empty stores; the options tell the generator where they are."""
    folder = work / "run" / f"federated-{kind.name}-{storage}"
    shutil.rmtree(folder, ignore_errors=True)
    purpose = Purpose(accounts=pairs, storage=storage, log_level="error")
    network = Network(folder, WAY)
    with kind(network, "here.example", purpose) as here, kind(network, "there.example", purpose) as there:
        options = ["--tls", "direct", "--address", f"{here.address}:{CLIENTS}", "--domain", here.domain]
        options += ["--other-address", f"{there.address}:{CLIENTS}", "--other-domain", there.domain]
        options += ["--server-pid", f"{here.process.pid},{there.process.pid}"]
        return measure(here, options)


def for_links(work: Path, measure) -> dict:
    """What `measure(server, options)` finds of ours, which trusts a certificate for all domains below one."""
    folder = work / "run" / "links"
    shutil.rmtree(folder, ignore_errors=True)
    network = Network(folder, Way("direct TLS and certificates", is_direct=True))
    certificate, key = network.certificate(f"*.{LINKS}")
    with Metronome(network, purpose=Purpose(accounts=1, log_level="error")) as server:
        options = ["--tls", "direct", "--address", f"{server.address}:{server.way.port}", "--domain", server.domain]
        options += ["--domains", LINKS, "--certificate", certificate, "--key", key, "--server-pid", server.process.pid]
        return measure(server, options)
