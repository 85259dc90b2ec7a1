"""One device of one person: a slixmpp client whose messages, presence and roster can be awaited.

Used by all tests; it talks to the server named by the environment and trusts only that server's own CA.
"""

import asyncio
import itertools
import os
from pathlib import Path

import slixmpp

# Everything here answers within milliseconds; this bound only ends a test that would hang.
PATIENCE = 30.0
PASSWORD = "secret"
DOMAIN = "localhost"
STARTTLS, DIRECT_TLS = "STARTTLS", "direct TLS"
OTHER = {STARTTLS: DIRECT_TLS, DIRECT_TLS: STARTTLS}

_NUMBERS = itertools.count(1)


def new_name(name):
    """A user name that begins with `name` and that nobody has yet."""
    return f"{name}{next(_NUMBERS)}"


async def new_account(name):
    """Makes an account with the usual password and returns its user name, which begins with `name`."""
    user = new_name(name)
    command = [os.environ["XMPP_CTL"], "--socket", f"{os.environ['XMPP_DATA']}/control.sock", "user", "add"]
    made = await asyncio.create_subprocess_exec(
        *command, f"{user}@{DOMAIN}", "--password-stdin", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL
    )
    await made.communicate(PASSWORD.encode())
    assert made.returncode == 0, f"no account for {user}"
    return user


PLUGINS = (
    "xep_0012", "xep_0016", "xep_0030", "xep_0045", "xep_0048", "xep_0050", "xep_0054", "xep_0065", "xep_0077", "xep_0092", "xep_0115", "xep_0191", "xep_0199",
    "xep_0202", "xep_0203", "xep_0249", "xep_0280", "xep_0313", "xep_0352", "xep_0377", "xep_0441",
)


class Device(slixmpp.ClientXMPP):
    """A session of `user` on `resource` over one of the two kinds of TLS."""

    def __init__(self, user, resource, transport, password=PASSWORD):
        super().__init__(f"{user}@{DOMAIN}/{resource}", password)
        self.inbox = asyncio.Queue()
        self.transport_kind = transport
        self.ca_certs = Path(os.environ["XMPP_CA"])
        self.enable_plaintext = False
        self.enable_starttls = transport == STARTTLS
        self.enable_direct_tls = transport == DIRECT_TLS
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        # People decide themselves who may see them.
        self.auto_authorize, self.auto_subscribe = None, False
        self.presences, self.pushes, self.contacts = asyncio.Queue(), asyncio.Queue(), {}
        self.add_event_handler("message", self.inbox.put_nowait)
        self.copies = asyncio.Queue()
        self.add_event_handler("carbon_received", lambda copy: self.copies.put_nowait(("received", copy["carbon_received"])))
        self.add_event_handler("carbon_sent", lambda copy: self.copies.put_nowait(("sent", copy["carbon_sent"])))
        self.add_event_handler("presence", self.presences.put_nowait)
        self.add_event_handler("roster_update", self._note_roster)
        # A test that loses its connection is to fail, not to try again.
        self.add_event_handler("connection_failed", lambda why: self._settle(ConnectionError(why)))
        self.add_event_handler("failed_all_auth", lambda _: self._settle(PermissionError("no mechanism worked")))
        self.add_event_handler("session_start", lambda _: self._settle(None))
        self._started = None

    def _settle(self, error):
        if self._started is None or self._started.done():
            return
        if error is None:
            self._started.set_result(None)
        else:
            self._started.set_exception(error)

    async def log_in(self):
        """Connects and authenticates, without presence: nothing is delivered to this device yet."""
        self._started = asyncio.get_running_loop().create_future()
        port = "XMPP_PORT" if self.transport_kind == STARTTLS else "XMPP_TLS_PORT"
        self.connect(os.environ["XMPP_HOST"], int(os.environ[port]))
        await asyncio.wait_for(self._started, PATIENCE)
        return self

    async def come_online(self):
        """Logs in, asks for the roster and sends presence. The answered ping proves that the server has handled it."""
        await self.log_in()
        await self.get_roster()
        self.send_presence()
        await self.settle()
        return self

    async def settle(self):
        """Returns once the server has answered a request to the own account, sent after everything else to it."""
        await self.plugin["xep_0199"].send_ping(self.bare, timeout=PATIENCE)

    async def go_offline(self):
        """Closes the stream in order."""
        await asyncio.wait_for(self.disconnect(), PATIENCE)

    def say(self, to, body):
        """Sends one chat message."""
        self.send_message(mto=to, mbody=body, mtype="chat")

    async def hear(self):
        """The next message that has a body."""
        while True:
            message = await asyncio.wait_for(self.inbox.get(), PATIENCE)
            if message["body"]:
                return message

    async def copy(self):
        """The next copy of what another device of this person sent or received: which of the two, and the message."""
        return await asyncio.wait_for(self.copies.get(), PATIENCE)

    def ask(self, other):
        """Asks to see somebody's presence."""
        self.send_presence_subscription(pto=other.bare, ptype="subscribe")

    def let_in(self, other):
        """Allows somebody to see one's presence."""
        self.send_presence_subscription(pto=other.bare, ptype="subscribed")

    async def see(self, sender, kind):
        """The next presence of `kind` (away and the like are kinds) from a bare or full address; others are passed over."""
        while True:
            presence = await asyncio.wait_for(self.presences.get(), PATIENCE)
            if presence["type"] == kind and sender in (presence["from"].full, presence["from"].bare):
                return presence

    def seen(self, sender):
        """What has been seen of `sender` since the last look."""
        presences = [self.presences.get_nowait() for _ in range(self.presences.qsize())]
        return [presence["type"] for presence in presences if presence["from"].bare == sender]

    def _note_roster(self, iq):
        items = {str(jid): item for jid, item in iq["roster"]["items"].items()}
        if iq["type"] == "result" and (items or iq["roster"]["ver"]):
            self.contacts = {}
        for jid, item in items.items():
            self.contacts.pop(jid, None)
            if item["subscription"] != "remove":
                self.contacts[jid] = item
        self.pushes.put_nowait(items)

    async def contact(self, jid, **wanted):
        """The roster's item for `jid`, as soon as it is as `wanted`."""
        while True:
            item = self.contacts.get(jid)
            if item and all(item[key] == value for key, value in wanted.items()):
                return item
            await self._push(f"{jid} as {wanted}, not {item}")

    async def no_contact(self, jid):
        """Returns once `jid` is not in the roster."""
        while jid in self.contacts:
            await self._push(f"{jid} to leave")

    async def _push(self, what):
        try:
            await asyncio.wait_for(self.pushes.get(), PATIENCE)
        except asyncio.TimeoutError:
            raise AssertionError(f"{self.bare} waits for {what}") from None

    @property
    def bare(self):
        """The address of the person."""
        return self.boundjid.bare

    @property
    def full(self):
        """The address of this device."""
        return self.boundjid.full

    @property
    def mechanism(self):
        """The SASL mechanism that this session used."""
        return self.plugin["feature_mechanisms"].mech.name
