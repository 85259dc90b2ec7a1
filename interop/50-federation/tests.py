"""Federation with Prosody and ejabberd: one line `ok NAME` or `not ok NAME` per test, then `done N`.

tests.py FOLDER MESSAGES [SERVER SERVER]: so many messages are written each way between two crowds. Without two names our
server is tried with each of the others in all ways; `prosody ejabberd` tries the tests themselves.
"""

import asyncio
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "bench"))

import chat  # noqa: E402
import nodes  # noqa: E402
import packages  # noqa: E402
import rooms  # noqa: E402
from crowd import crowd, disperse  # noqa: E402
from ejabberd import Ejabberd  # noqa: E402
from network import Network, Way  # noqa: E402
from ours import Metronome  # noqa: E402
from prosody import Prosody  # noqa: E402
from restarts import nothing_is_lost_when_one_restarts  # noqa: E402

WAYS = (
    Way("STARTTLS and dialback", is_certified=False),
    Way("STARTTLS and certificates", is_bidi=True),
    Way("STARTTLS and certificates for servers only", is_for_servers=True),
    Way("direct TLS and certificates", is_direct=True),
)
KINDS = {kind.name: kind for kind in (Metronome, Prosody, Ejabberd)}
# Where much is written and servers restart, unless many messages are wanted: then everywhere.
THOROUGH = WAYS[:2]
MANY = 10_000
SENDERS = 50
TEST_SECONDS_MAX = 150


async def connections_are_as_agreed(here, there):
    """There is one for both directions where both sides can do that, and else one for each."""
    async with chat.two(here, there) as (alice, bob):
        alice.say(bob.bare, "the first words")
        await bob.hear_words(alice.full, "the first words")
        bob.say(alice.bare, "and an answer")
        await alice.hear_words(bob.full, "and an answer")
        both = here.way.is_bidi and not isinstance(here, Ejabberd) and not isinstance(there, Ejabberd)
        counts = here.accepted(), there.accepted()
        assert sum(counts) == 1 if both else min(counts) >= 1, f"accepted by the one who wrote first and by the other: {counts}"


def many_write_at_once(messages: int):
    """The test of so many messages each way."""

    async def many_people_write_at_once(here, there):
        pairs = await crowd(here, there, SENDERS)
        try:
            await asyncio.gather(*(pair.both_ways(messages // SENDERS) for pair in pairs))
        finally:
            await disperse(pairs)

    return many_people_write_at_once


class Verdicts:
    """Counts tests and prints a line for each."""

    def __init__(self):
        self.count = self.failed = 0

    async def run(self, test, here, there, way: Way) -> None:
        name = f"{test.__name__} from {here} to {there} over {way.name}"
        self.count += 1
        try:
            await asyncio.wait_for(test(here, there), TEST_SECONDS_MAX)
        except Exception:  # every failure of a test is one line and its trace
            self.failed += 1
            print(f"not ok {name}", flush=True)
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok {name}", flush=True)


async def meet(one: str, other: str, way: Way, folder: Path, messages: int, verdicts: Verdicts) -> None:
    """All tests between two servers that reach each other in one way."""
    network = Network(folder / f"{one}-{other}-{WAYS.index(way)}", way)
    with KINDS[one](network) as here, KINDS[other](network) as there:
        # Before anything else has made connections; and once more behind the restarts, the other way round.
        await verdicts.run(connections_are_as_agreed, here, there, way)
        for test in chat.TESTS + rooms.TESTS:
            await verdicts.run(test, here, there, way)
            await verdicts.run(test, there, here, way)
        if way not in THOROUGH and messages < MANY:
            return
        if here.has_nodes and there.has_nodes:
            for test in nodes.TESTS:
                await verdicts.run(test, here, there, way)
                await verdicts.run(test, there, here, way)
        await verdicts.run(many_write_at_once(messages), here, there, way)
        await verdicts.run(nothing_is_lost_when_one_restarts, here, there, way)
        await verdicts.run(nothing_is_lost_when_one_restarts, there, here, way)
        await asyncio.to_thread(here.stop)
        await asyncio.to_thread(here.start)
        await verdicts.run(connections_are_as_agreed, there, here, way)


def end(*_) -> None:
    """Whoever ends this process ends the servers, too."""
    raise SystemExit(1)


async def main(below: str, messages: str, *names: str) -> int:
    packages.unpacked()
    Path(below).mkdir(parents=True, exist_ok=True)
    folder, verdicts = Path(tempfile.mkdtemp(prefix="federation.", dir=below)), Verdicts()
    meetings = [names] if names else [(Metronome.name, Prosody.name), (Metronome.name, Ejabberd.name)]
    for one, other in meetings:
        for way in WAYS:
            started = time.monotonic()
            await meet(one, other, way, folder, int(messages), verdicts)
            print(f"{one} and {other} over {way.name}: {time.monotonic() - started:.0f} s", flush=True)
    if verdicts.failed:
        print(f"logs and configurations are in {folder}")
    else:
        shutil.rmtree(folder)
    print(f"done {verdicts.count}", flush=True)
    return 1 if verdicts.failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
