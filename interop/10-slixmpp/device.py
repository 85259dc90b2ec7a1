"""One device of one person: a slixmpp client whose messages can be awaited.

Used by tests.py; it talks to the server named by the environment and trusts only that server's own CA.
"""

import asyncio
import os
from pathlib import Path

import slixmpp

# Everything here answers within milliseconds; this bound only ends a test that would hang.
PATIENCE = 30.0
PASSWORD = "secret"
DOMAIN = "localhost"
STARTTLS, DIRECT_TLS = "STARTTLS", "direct TLS"


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
        for plugin in ("xep_0030", "xep_0092", "xep_0199", "xep_0203"):
            self.register_plugin(plugin)
        self.add_event_handler("message", self.inbox.put_nowait)
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
        """Logs in and sends presence. The answered ping proves that the server has handled the presence."""
        await self.log_in()
        self.send_presence()
        await self.settle()
        return self

    async def settle(self):
        """Returns once the server has answered a request sent after everything else."""
        await self.plugin["xep_0199"].send_ping(DOMAIN, timeout=PATIENCE)

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

    @property
    def mechanism(self):
        """The SASL mechanism that this session used."""
        return self.plugin["feature_mechanisms"].mech.name
