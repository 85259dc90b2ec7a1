"""One device of one person: it speaks XML over TLS with its own server, and whatever it hears can be awaited.

The servers are the ones under test here, so it takes every certificate and logs in with PLAIN.
"""

import asyncio
import base64
import functools
import itertools
import ssl
from collections.abc import Callable
from xml.etree.ElementTree import Element, XMLPullParser

from network import CLIENTS
from server import PASSWORD, Server

MESSAGE, PRESENCE, IQ, BODY = (f"{{jabber:client}}{name}" for name in ("message", "presence", "iq", "body"))
ROSTER = "{jabber:iq:roster}"
# Everything here answers within milliseconds; this bound only ends a test that would hang.
PATIENCE_SECONDS = 30

_NUMBERS = itertools.count(1)


def new_id() -> str:
    """An id that nothing else has."""
    return f"n{next(_NUMBERS)}"


class Person:
    """Whatever it hears is kept in `heard` until somebody waits for it, unless `on_message` takes the messages."""

    # With this it becomes available.
    hello = "<presence/>"

    def __init__(self, server: Server, user: str = ""):
        self.server = server
        self.user = user or server.new_user()
        self.bare = f"{self.user}@{server.domain}"
        self.full = ""
        self.heard: list[Element] = []
        self.on_message: Callable[[Element], None] | None = None
        self._news = asyncio.Event()
        self._listening: asyncio.Task | None = None

    async def log_in(self):
        """Connects, authenticates and binds, without presence: nothing is delivered to this device yet."""
        source = (self.server.network.client_address(), 0)
        self.reader, self.writer = await asyncio.open_connection(
            self.server.address, CLIENTS, ssl=_any_certificate(), server_hostname=self.server.domain, local_addr=source
        )
        self.heard.clear()
        self._open()
        await self._next()
        secret = base64.b64encode(f"\0{self.user}\0{PASSWORD}".encode()).decode()
        self.send(f"<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>")
        answer = await self._next()
        assert answer.tag.endswith("}success"), f"{self.bare} is not let in: {answer.tag} {[e.tag for e in answer]}"
        self._open()
        await self._next()
        bind = "urn:ietf:params:xml:ns:xmpp-bind"
        self.send(f"<iq type='set' id='bind'><bind xmlns='{bind}'><resource>phone</resource></bind></iq>")
        self.full = (await self._next()).find(f".//{{{bind}}}jid").text
        self._listening = asyncio.create_task(self._listen())
        return self

    async def come_online(self):
        """Logs in, asks for the roster, as whoever wants its pushes, and sends presence; the server has handled it then."""
        await self.log_in()
        await self.ask("<query xmlns='jabber:iq:roster'/>")
        self.send(self.hello)
        await self.settle()
        return self

    async def settle(self):
        """Returns once the server has answered a request to the own account, sent after everything else to it."""
        await self.ask("<ping xmlns='urn:xmpp:ping'/>", to=self.bare)

    async def leave(self):
        """Goes so that whatever comes from now on waits for the next time, also where a dying session still takes messages."""
        self.send("<presence type='unavailable'/>")
        await self.settle()
        await self.go()

    async def go(self):
        """Closes the stream in order, if the server has not done so already."""
        if self._listening is None:
            return
        if not self._listening.done():
            self.send("</stream:stream>")
        await asyncio.wait_for(self._listening, PATIENCE_SECONDS)
        self.writer.close()
        self._listening = None

    def send(self, xml: str) -> None:
        """Sends XML as it is."""
        self.writer.write(xml.encode())

    def say(self, to: str, body: str) -> str:
        """Sends one chat message and returns its id."""
        id = new_id()
        self.send(f"<message to='{to}' type='chat' id='{id}'><body>{body}</body></message>")
        return id

    def presence(self, kind: str, to: str) -> None:
        """Sends a presence to somebody: a request to see theirs, or what allows or ends it."""
        self.send(f"<presence type='{kind}' to='{to}'/>")

    async def ask(self, payload: str, to: str = "", kind: str = "get") -> Element:
        """Sends a request and returns the answer to it, which may be an error."""
        id = new_id()
        address = f" to='{to}'" if to else ""
        self.send(f"<iq type='{kind}' id='{id}'{address}>{payload}</iq>")
        return await self.hear(lambda stanza: stanza.tag == IQ and stanza.get("id") == id, f"the answer to {payload}")

    async def hear(self, is_wanted: Callable[[Element], bool], what: str) -> Element:
        """The first stanza that is wanted, of those that nobody has waited for before."""
        end = asyncio.get_running_loop().time() + PATIENCE_SECONDS
        while True:
            for place, stanza in enumerate(self.heard):
                if is_wanted(stanza):
                    return self.heard.pop(place)
            self._news.clear()
            left = end - asyncio.get_running_loop().time()
            try:
                await asyncio.wait_for(self._news.wait(), max(left, 0))
            except asyncio.TimeoutError:
                raise AssertionError(f"{self.bare} waits for {what}") from None
            assert not (self._listening and self._listening.done()), f"{self.bare} lost the connection and waits for {what}"

    async def hear_words(self, sender: str, body: str) -> Element:
        """The message from a bare or full address with this body."""
        return await self.hear(lambda stanza: stanza.tag == MESSAGE and is_from(stanza, sender) and body_of(stanza) == body, body)

    async def hear_error(self, sender: str, id: str) -> str:
        """The condition of the error that answers the stanza with this id."""
        stanza = await self.hear(
            lambda stanza: stanza.get("type") == "error" and stanza.get("id") == id and is_from(stanza, sender),
            f"an error from {sender}",
        )
        return condition_of(stanza)

    async def see(self, sender: str, kind: str) -> Element:
        """The presence of a kind from a bare or full address; `available` stands for no type."""
        wanted = None if kind == "available" else kind
        return await self.hear(
            lambda stanza: stanza.tag == PRESENCE and stanza.get("type") == wanted and is_from(stanza, sender),
            f"presence {kind} of {sender}",
        )

    async def contact(self, other: str, subscription: str) -> None:
        """Returns once the server has told that the contact's subscription is such."""
        await self.hear(
            lambda stanza: any(_is_settled(item, other, subscription) for item in stanza.iter(f"{ROSTER}item")),
            f"the contact {other} to become {subscription}",
        )

    def answer_to(self, request: Element) -> str:
        """What it says to a request, as XML: nothing but that it is done."""
        return ""

    def _open(self) -> None:
        self._cutter = Cutter()
        self._ready: list[Element] = []
        self.send(
            f"<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'"
            f" to='{self.server.domain}' version='1.0'>"
        )

    async def _next(self) -> Element:
        while not self._ready:
            data = await asyncio.wait_for(self.reader.read(65536), PATIENCE_SECONDS)
            assert data, f"{self.bare} lost the connection while logging in"
            self._ready = self._cutter.cut(data)
        return self._ready.pop(0)

    async def _listen(self) -> None:
        try:
            for stanza in self._ready:
                self._take(stanza)
            while data := await self.reader.read(65536):
                for stanza in self._cutter.cut(data):
                    self._take(stanza)
                if self._cutter.is_closed:
                    break
        except OSError:
            pass
        self._news.set()

    def _take(self, stanza: Element) -> None:
        if stanza.tag == IQ and stanza.get("type") in ("get", "set"):
            # A request of the server or of another person: real clients answer it.
            to = f" to='{stanza.get('from')}'" if stanza.get("from") else ""
            self.send(f"<iq type='result' id='{stanza.get('id')}'{to}>{self.answer_to(stanza)}</iq>")
        if stanza.tag == MESSAGE and self.on_message:
            self.on_message(stanza)
        else:
            self.heard.append(stanza)
            self._news.set()


class Cutter:
    """Cuts a stream into its stanzas."""

    def __init__(self):
        self._parser = XMLPullParser(("start", "end"))
        self._depth, self._stream = 0, None
        self.is_closed = False

    def cut(self, data: bytes) -> list[Element]:
        """The stanzas that end in these bytes."""
        self._parser.feed(data)
        stanzas = []
        for event, element in self._parser.read_events():
            self._depth += 1 if event == "start" else -1
            if event == "start" and self._depth == 1:
                self._stream = element
            elif event == "end" and self._depth == 1:
                stanzas.append(element)
                self._stream.remove(element)
            elif event == "end" and self._depth == 0:
                self.is_closed = True
        return stanzas


def is_from(stanza: Element, address: str) -> bool:
    """Whether it comes from a bare or full address."""
    sender = stanza.get("from", "")
    return address in (sender, sender.partition("/")[0])


def body_of(stanza: Element) -> str:
    """What is said, if anything; nothing in an error, whatever it repeats."""
    return "" if stanza.get("type") == "error" else stanza.findtext(BODY, "")


def condition_of(stanza: Element) -> str:
    """The defined condition of an error."""
    error = stanza.find("{jabber:client}error")
    conditions = "{urn:ietf:params:xml:ns:xmpp-stanzas}"
    return next((child.tag.removeprefix(conditions) for child in error if child.tag.startswith(conditions)), "none")


def _is_settled(item: Element, jid: str, subscription: str) -> bool:
    return (item.get("jid"), item.get("subscription"), item.get("ask")) == (jid, subscription, None)


@functools.cache
def _any_certificate() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
