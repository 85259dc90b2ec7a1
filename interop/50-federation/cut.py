"""The network between two of our servers is cut while people write, and comes back: one line `ok NAME` or `not ok NAME` per test, then
`done N`.

cut.py FOLDER, as root and in a network namespace of its own. North and south are joined by the cable that is cut; hasty is where south is,
and keeps what cannot be sent for a few seconds only; near is reached by other ways; other is a Prosody beside north. It takes a bit more than
a minute: so long does a server wait for an answer before it gives a connection up.
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

from network import Network, Way  # noqa: E402
from ours import Metronome  # noqa: E402
from person import PATIENCE_SECONDS, Person, body_of, condition_of  # noqa: E402
from prosody import Prosody  # noqa: E402
from server import Purpose, Server  # noqa: E402
from wires import HOME, NET, Cable, Place, settle_at_home  # noqa: E402
from zone import Zone  # noqa: E402

PEOPLE = 5
LETTERS = 10
# After the cut and until it is over: longer than a server waits for answers.
CUT_SECONDS_MAX = 150
# From the end of the cut until everything has arrived: longer than the pause between two attempts to connect.
AFTER_SECONDS_MAX = 90
PAUSE_SECONDS = 0.2
RETRY_SECONDS = 8
NORTH, SOUTH, HASTY, NEAR, OTHER = (f"{NET}.{last}" for last in range(1, 6))


class Wired(Network):
    """Servers at addresses of their own in several places, with one name server at home."""

    trusted = "10.77.0.0/16"

    def __init__(self, folder: Path, addresses: list[str]):
        self._addresses = addresses
        super().__init__(folder, Way("STARTTLS and certificates"))

    def client_address(self) -> str:
        """All people are at home."""
        return "0.0.0.0"

    def _address(self, last: int) -> str:
        return self._addresses[last - 1]

    @staticmethod
    def _zone() -> Zone:
        return Zone(HOME, 5353)


class Placed(Server):
    """A server in a place, or at home."""

    def __init__(self, network: Wired, name: str, place: Place | None = None, keep: str = "10 min"):
        self.place, self.keep, self.name = place, keep, name
        super().__init__(network, f"{name}.example", Purpose(accounts=20, log_level="debug"))

    def prepare(self):
        command, environment = super().prepare()
        prefix = self.place.prefix if self.place else []
        options = {"METRONOME_FEDERATION__KEEP": self.keep, "METRONOME_FEDERATION__CONNECT_TIMEOUT": "1 s"}
        return [*prefix, *command], environment | options


class Ours(Placed, Metronome):
    """One of ours."""


class Other(Placed, Prosody):
    """One that does not count what it gets: nothing but the system tells that nothing arrives there."""


class Talk:
    """What one person writes to another of another server, number by number; each number arrives, and none before an earlier one."""

    def __init__(self, sender: Person, receiver: Person):
        self.sender, self.receiver = sender, receiver
        self.written = 0
        self.heard: list[int] = []
        self.back: list[str] = []
        self.news = asyncio.Event()

    def say(self) -> None:
        self.sender.say(self.receiver.bare, f"number {self.written}")
        self.written += 1

    def take(self, message) -> None:
        """Whatever the receiver hears of the sender, and what comes back to the sender."""
        if message.get("type") == "error":
            self.back.append(condition_of(message))
        else:
            self.heard.append(int(body_of(message).removeprefix("number ")))
        self.news.set()

    async def all_heard(self, seconds: float) -> None:
        """Returns once everything that was written has arrived."""
        end = time.monotonic() + seconds
        while set(self.heard) < set(range(self.written)) and not self.back:
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), max(end - time.monotonic(), 0))
            except asyncio.TimeoutError:
                missing = sorted(set(range(self.written)) - set(self.heard))
                raise AssertionError(f"{self.receiver.bare} misses {missing} of {self.sender.bare}") from None
        assert not self.back, f"came back to {self.sender.bare}: {self.back}"

    def judge(self) -> int:
        """Fails unless everything came in its order, and at most once more for the one connection that was cut; says how much did."""
        firsts = list(dict.fromkeys(self.heard))
        assert firsts == list(range(self.written)), f"{self.receiver.bare} has heard {self.heard}"
        often = [number for number in firsts if self.heard.count(number) > 2]
        assert not often, f"{self.receiver.bare} has heard {often} more than twice"
        return len(self.heard) - len(firsts)


class Exchange:
    """Hands each message that somebody hears to the talk that it belongs to."""

    def __init__(self, talks: list[Talk]):
        self._talks = {(talk.sender.bare, talk.receiver.bare): talk for talk in talks}
        for person in {person for talk in talks for person in (talk.sender, talk.receiver)}:
            person.on_message = lambda message, person=person: self._take(person, message)

    def _take(self, person: Person, message) -> None:
        other = message.get("from").partition("/")[0]
        is_back = message.get("type") == "error"
        self._talks[(person.bare, other) if is_back else (other, person.bare)].take(message)


class Story:
    """Who lives where, and what they write."""

    def __init__(self, north: Placed, south: Placed, hasty: Placed, near: Placed, other: Placed, cable: Cable):
        self.cable = cable
        norths, souths, nears = ([Person(server) for _ in range(PEOPLE)] for server in (north, south, near))
        self.dave, self.readers = Person(hasty), [Person(north), Person(other)]
        self.people = [*norths, *souths, *nears, self.dave, *self.readers]
        across = [Talk(one, other) for pair in zip(norths, souths) for one, other in (pair, pair[::-1])]
        # The same senders write to somebody whom the cut has nothing to do with.
        aside = [Talk(one, other) for one, other in zip([*norths, *souths], [*nears, *nears])]
        self.across, self.aside = across, aside
        self.letters: dict[str, str] = {}
        self.returned: dict[str, list[str]] = {}
        self.misled: list[tuple[str, str]] = []
        self._all_returned = asyncio.Event()

    async def begin(self) -> None:
        for person in self.people:
            await person.come_online()
        Exchange([*self.across, *self.aside])
        self.dave.on_message = self._take_back
        for reader in self.readers:
            reader.on_message = lambda message, reader=reader: self.misled.append((reader.bare, body_of(message)))
            self.dave.say(reader.bare, "before")
        for talk in [*self.across, *self.aside]:
            talk.say()
        for talk in [*self.across, *self.aside]:
            await talk.all_heard(AFTER_SECONDS_MAX)
        end = time.monotonic() + AFTER_SECONDS_MAX
        while len(self.misled) < len(self.readers):
            assert time.monotonic() < end, f"only {self.misled} has arrived before the cut"
            await asyncio.sleep(PAUSE_SECONDS)
        self.misled.clear()

    async def run(self) -> None:
        """People write all the time; in the middle of it the cable is cut, and joined again when the hasty server has given up."""
        over = asyncio.Event()
        writing = asyncio.gather(*(self._write(talk, over) for talk in self.across))
        await asyncio.sleep(1)
        self.cable.cut()
        print("the cable is cut", flush=True)
        started = time.monotonic()
        self._write_letters()
        aside = asyncio.gather(*(self._converse(talk, over) for talk in self.aside))
        try:
            returned = asyncio.create_task(self._all_returned.wait())
            while not returned.done() and not aside.done() and time.monotonic() < started + CUT_SECONDS_MAX:
                await asyncio.wait((aside, returned), timeout=10, return_when=asyncio.FIRST_COMPLETED)
                heard = sum(len(talk.heard) for talk in self.aside)
                print(f"{time.monotonic() - started:.0f} s: {len(self.returned)} letters are back, {heard} words were heard aside", flush=True)
            # Those who had less to say have given up by then as well, and try to connect again.
            await asyncio.sleep(RETRY_SECONDS)
            self.left = self.cable.unsent()
        finally:
            over.set()
            self.cable.join()
            print(f"the cable is joined after {time.monotonic() - started:.0f} s", flush=True)
        await writing
        self.fault_aside = (await asyncio.gather(aside, return_exceptions=True))[0]

    async def nothing_is_lost_when_the_network_is_cut(self):
        """What was written before, meanwhile and after all arrives, in its order, and comes twice at most where the cut left it in doubt."""
        for talk in self.across:
            talk.say()
        await asyncio.gather(*(talk.all_heard(AFTER_SECONDS_MAX) for talk in self.across))
        twice = sum(talk.judge() for talk in self.across)
        print(f"{sum(talk.written for talk in self.across)} messages, {twice} came twice", flush=True)

    async def nobody_waits_for_whom_the_cut_has_nothing_to_do_with(self):
        """Whoever writes to somebody behind the cut is heard by others at once, and each word was awaited while it lasted."""
        assert not isinstance(self.fault_aside, BaseException), self.fault_aside
        assert all(talk.written > 50 for talk in self.aside), [talk.written for talk in self.aside]
        for talk in self.aside:
            assert talk.judge() == 0, f"{talk.receiver.bare} was not behind the cut and has heard {talk.heard}"

    async def what_has_waited_for_too_long_comes_back_once_and_does_not_arrive(self):
        """A letter that is told not to have arrived never does, also when the network is there again."""
        assert set(self.returned) == set(self.letters), f"of {len(self.letters)} letters came back: {self.returned}"
        wrong = {id: told for id, told in self.returned.items() if told != ["remote-server-timeout"]}
        assert not wrong, f"letters of {self.dave.bare} came back as {wrong}"
        for reader in self.readers:
            await self._reach(reader)
        expected = [(reader.bare, "after") for reader in self.readers]
        assert self.misled == expected, f"{self.misled} was heard"

    async def _reach(self, reader: Person) -> None:
        """Returns once a letter arrives; one that comes back is written again."""
        end = time.monotonic() + AFTER_SECONDS_MAX
        while (reader.bare, "after") not in self.misled:
            assert time.monotonic() < end, f"{self.dave.bare} does not reach {reader.bare} any more"
            if "after" not in self.letters.values():
                self.letters[self.dave.say(reader.bare, "after")] = "after"
            await asyncio.sleep(PAUSE_SECONDS)
        self.letters = {id: body for id, body in self.letters.items() if body != "after"}

    async def connections_that_were_given_up_leave_nothing_that_could_arrive_later(self):
        assert not self.left, f"this would have been sent when the network came back: {self.left}"

    async def _write(self, talk: Talk, over: asyncio.Event) -> None:
        while not over.is_set():
            talk.say()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _converse(self, talk: Talk, over: asyncio.Event) -> None:
        while not over.is_set():
            talk.say()
            await talk.all_heard(PATIENCE_SECONDS)
            await asyncio.sleep(PAUSE_SECONDS)

    def _write_letters(self) -> None:
        for reader in self.readers:
            for number in range(LETTERS):
                body = f"letter {number}"
                self.letters[self.dave.say(reader.bare, body)] = body

    def _take_back(self, message) -> None:
        body = self.letters.get(message.get("id", ""))
        if message.get("type") != "error" or body is None:
            return
        if body == "after":
            del self.letters[message.get("id")]
            return
        self.returned.setdefault(message.get("id"), []).append(condition_of(message))
        if len(self.returned) == len(self.letters):
            self._all_returned.set()


async def judged(tests: list) -> int:
    """Runs the tests one after another; returns how many failed."""
    failed = 0
    for test in tests:
        try:
            await test()
        except Exception:  # every failure of a test is one line and its trace
            failed += 1
            print(f"not ok {test.__name__}", flush=True)
            traceback.print_exc(file=sys.stdout)
        else:
            print(f"ok {test.__name__}", flush=True)
    return failed


async def main(below: str) -> int:
    Path(below).mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="cut.", dir=below))
    settle_at_home([HOME, NEAR])
    up, down = Place("up", [NORTH, OTHER], 1), Place("down", [SOUTH, HASTY], 2)
    try:
        cable = Cable(up, down)
        network = Wired(folder, [NORTH, SOUTH, HASTY, NEAR, OTHER])
        with (
            Ours(network, "north", up) as north,
            Ours(network, "south", down) as south,
            Ours(network, "hasty", down, keep="5 s") as hasty,
            Ours(network, "near") as near,
            Other(network, "other", up) as other,
        ):
            story = Story(north, south, hasty, near, other, cable)
            await story.begin()
            await story.run()
            tests = [
                story.nothing_is_lost_when_the_network_is_cut,
                story.nobody_waits_for_whom_the_cut_has_nothing_to_do_with,
                story.what_has_waited_for_too_long_comes_back_once_and_does_not_arrive,
                story.connections_that_were_given_up_leave_nothing_that_could_arrive_later,
            ]
            failed = await judged(tests)
            await asyncio.gather(*(person.go() for person in story.people))
    finally:
        up.end()
        down.end()
    if failed:
        print(f"logs and configurations are in {folder}")
    else:
        shutil.rmtree(folder)
    print(f"done {len(tests)}", flush=True)
    return 1 if failed else 0


def end(*_) -> None:
    """Whoever ends this process ends the servers, too."""
    raise SystemExit(1)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    sys.exit(asyncio.run(main(*sys.argv[1:])))
