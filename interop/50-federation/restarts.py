"""A server goes away in order and comes back while people write to those who live there: what happens to each message."""

import asyncio

from chat import PING
from crowd import Pair, crowd, disperse
from ours import Metronome
from person import PATIENCE_SECONDS, Person, body_of, condition_of

PEOPLE = 10
# Of each person while the server is away.
MESSAGES = 10


async def nothing_is_lost_when_one_restarts(stays, goes):
    """All that was written arrives, once, or comes back to who wrote it. What people of our server write arrives."""
    pairs = await crowd(stays, goes, PEOPLE)
    try:
        await asyncio.gather(*(pair.both_ways(5) for pair in pairs))
        await asyncio.to_thread(goes.stop)
        await asyncio.gather(*(pair.there.go() for pair in pairs))
        letters = [Letters(pair) for pair in pairs]
        await asyncio.gather(*(letter.write() for letter in letters))
        await asyncio.to_thread(goes.start)
        # A server may lose from sight what comes while somebody logs in; so nobody does before all is there.
        await asyncio.gather(*(behind_all(pair.here, pair.there.bare) for pair in pairs))
        await asyncio.gather(*(pair.there.come_online() for pair in pairs))
        for letter in letters:
            await letter.account(isinstance(stays, Metronome))
        await reach_again(pairs[0].here, pairs[0].there)
        await reach_again(pairs[0].there, pairs[0].here)
        for pair in pairs:
            pair.here.heard.clear()
            pair.there.heard.clear()
        await asyncio.gather(*(pair.both_ways(5) for pair in pairs))
    finally:
        await disperse(pairs)


class Letters:
    """What one of a pair writes while the other's server is away."""

    def __init__(self, pair: Pair):
        self.sender, self.receiver = pair.here, pair.there
        self.bodies: dict[str, str] = {}
        self.arrived: list[str] = []
        self.bounced: dict[str, str] = {}
        self._news = asyncio.Event()
        self.receiver.on_message, self.sender.on_message = self._arrive, self._come_back

    async def write(self) -> None:
        for number in range(MESSAGES):
            body = f"letter {number}"
            self.bodies[self.sender.say(self.receiver.bare, body)] = body
        await self.sender.settle()

    async def account(self, must_arrive: bool) -> None:
        """Waits until each letter has arrived or come back; fails if one does both, or arrives twice."""
        while len(self.arrived) + len(self.bounced) < MESSAGES:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), PATIENCE_SECONDS)
            except asyncio.TimeoutError:
                counts = f"{len(self.arrived)} have arrived and {len(self.bounced)} have come back"
                raise AssertionError(f"of {MESSAGES} letters of {self.sender.bare} {counts}") from None
        self.sender.on_message = self.receiver.on_message = None
        assert len(set(self.arrived)) == len(self.arrived), f"some have come twice to {self.receiver.bare}: {self.arrived}"
        assert not set(self.arrived) & set(self.bounced), f"what has arrived came back, too: {self.bounced}"
        assert not must_arrive or not self.bounced, f"letters of {self.sender.bare} came back: {self.bounced}"

    def _arrive(self, message) -> None:
        if body_of(message).startswith("letter "):
            self.arrived.append(body_of(message))
            self._news.set()

    def _come_back(self, message) -> None:
        body = self.bodies.get(message.get("id", ""))
        if message.get("type") == "error" and body:
            self.bounced[body] = condition_of(message)
            self._news.set()


async def behind_all(sender: Person, address: str) -> None:
    """Returns once the other server has answered something that was sent to this address behind all else."""
    end = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < end:
        try:
            # A question that was on its way when a server stopped is not answered by anybody.
            answer = await asyncio.wait_for(sender.ask(PING, to=address), PATIENCE_SECONDS / 6)
        except asyncio.TimeoutError:
            continue
        if answer.get("type") == "result" or not condition_of(answer).startswith("remote-server-"):
            return
        await asyncio.sleep(0.5)
    raise AssertionError(f"{sender.bare} does not reach {address} any more")


async def reach_again(sender: Person, receiver: Person) -> None:
    """Returns once a message arrives: a server that could not reach another may wait before it tries again."""
    end = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while asyncio.get_running_loop().time() < end:
        id = sender.say(receiver.bare, "is somebody there?")
        news = asyncio.create_task(receiver.hear_words(sender.full, "is somebody there?"))
        back = asyncio.create_task(sender.hear_error(receiver.bare, id))
        done, rest = await asyncio.wait((news, back), return_when=asyncio.FIRST_COMPLETED)
        for task in rest:
            task.cancel()
        if news in done:
            return news.result()
        back.result()
        await asyncio.sleep(0.5)
    raise AssertionError(f"{sender.bare} does not reach {receiver.bare} any more")
