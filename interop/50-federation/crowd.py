"""Many people of two servers who write to each other at the same time, and count what arrives."""

import asyncio

from person import PATIENCE_SECONDS, Person, body_of

# Messages of one person that have not arrived yet: people do not write hundreds at once to somebody who does not answer.
UNDER_WAY = 16
# Between two arrivals of a crowd's messages.
SILENCE_SECONDS_MAX = PATIENCE_SECONDS


class Pair:
    """Two people, one of each server, who write to nobody else."""

    def __init__(self, here: Person, there: Person):
        self.here, self.there = here, there

    async def both_ways(self, count: int) -> None:
        """Each writes so many numbered messages to the other; fails unless all arrive, once, in order, and nothing else."""
        ways = Way(self.here, self.there, count), Way(self.there, self.here, count)
        try:
            await asyncio.gather(*(way.run() for way in ways))
        finally:
            self.here.on_message = self.there.on_message = None


class Way:
    """What one of a pair writes to the other."""

    def __init__(self, sender: Person, receiver: Person, count: int):
        self.sender, self.receiver, self.count = sender, receiver, count
        self.received = 0
        self.free = asyncio.Semaphore(UNDER_WAY)
        self.faults: list[str] = []
        self.arrived = asyncio.Event()
        receiver.on_message = self._take

    async def run(self) -> None:
        for number in range(self.count):
            await self._within_patience(self.free.acquire())
            self.sender.say(self.receiver.bare, f"number {number}")
        while self.received < self.count:
            self.arrived.clear()
            await self._within_patience(self.arrived.wait())
        assert not self.faults, self.faults[0]

    async def _within_patience(self, wait) -> None:
        """Waits for something that happens when a message arrives."""
        try:
            await asyncio.wait_for(wait, SILENCE_SECONDS_MAX)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.receiver.bare} waits for number {self.received} of {self.sender.bare}") from None
        assert not self.faults, self.faults[0]

    def _take(self, message) -> None:
        body = body_of(message)
        if body != f"number {self.received}":
            told = body or f"an error of {message.get('from')}: {[child.tag for child in message.iter()]}"
            self.faults.append(f"{self.receiver.bare} waits for number {self.received} of {self.sender.bare}, and hears {told}")
        else:
            self.received += 1
        self.free.release()
        self.arrived.set()


async def crowd(here, there, pairs: int) -> list[Pair]:
    """Pairs of people of two servers, all online."""
    people = [(Person(here), Person(there)) for _ in range(pairs)]
    # A few at a time: all servers look at how many come at once.
    for few in range(0, pairs, 10):
        await asyncio.gather(*(person.come_online() for pair in people[few : few + 10] for person in pair))
    return [Pair(*pair) for pair in people]


async def disperse(pairs: list[Pair]) -> None:
    """All of them leave."""
    await asyncio.gather(*(person.go() for pair in pairs for person in (pair.here, pair.there)))
