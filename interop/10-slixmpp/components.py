"""A component (XEP-0114): people write to it, ask it and see it, and it tells a push service's story."""

import asyncio
import os

import slixmpp
from slixmpp.exceptions import IqError

from device import DOMAIN, PATIENCE, Device
from together import online

ADDRESS = f"slixmpp.{DOMAIN}"
SECRET = "component-secret"


class Component(slixmpp.ComponentXMPP):
    """One stream of the component."""

    def __init__(self, secret=SECRET):
        super().__init__(ADDRESS, secret, os.environ["XMPP_HOST"], int(os.environ["XMPP_COMPONENT_PORT"]))
        for plugin in ("xep_0030", "xep_0092", "xep_0199"):
            self.register_plugin(plugin)
        # People are let in by the test itself.
        self.auto_authorize, self.auto_subscribe = None, False
        self["xep_0030"].add_identity(category="gateway", itype="irc", name="A gateway")
        self.inbox, self.presences = asyncio.Queue(), asyncio.Queue()
        self.started, self.over = asyncio.Event(), asyncio.Event()
        self.add_event_handler("message", self.inbox.put_nowait)
        self.add_event_handler("presence", self.presences.put_nowait)
        self.add_event_handler("session_start", lambda _: self.started.set())
        self.add_event_handler("disconnected", lambda _: self.over.set())

    async def __aenter__(self):
        self.connect()
        await asyncio.wait_for(self.started.wait(), PATIENCE)
        return self

    async def __aexit__(self, *_):
        await self.disconnect()


async def take(queue):
    return await asyncio.wait_for(queue.get(), PATIENCE)


async def people_and_a_component_write_to_each_other(transport):
    async with Component() as component, online(Device("alice", "phone", transport)) as (alice,):
        alice.say(f"bob%irc@{ADDRESS}", "to the gateway <&> \u00e9")
        heard = await take(component.inbox)
        assert (heard["body"], heard["from"], heard["to"].bare) == (
            "to the gateway <&> \u00e9", alice.boundjid, f"bob%irc@{ADDRESS}"), heard
        component.send_message(mto=alice.boundjid.bare, mfrom=f"bob%irc@{ADDRESS}/irc", mbody="and back", mtype="chat")
        answer = await alice.hear()
        assert (answer["body"], answer["from"].full) == ("and back", f"bob%irc@{ADDRESS}/irc"), answer


async def a_component_is_found_and_answers(transport):
    async with Component(), online(Device("alice", "phone", transport)) as (alice,):
        items = await alice["xep_0030"].get_items(jid=DOMAIN)
        assert ADDRESS in {str(item[0]) for item in items["disco_items"]["items"]}, items
        info = await alice["xep_0030"].get_info(jid=ADDRESS)
        assert ("gateway", "irc", None, "A gateway") in info["disco_info"]["identities"], info
        assert await alice["xep_0199"].ping(ADDRESS) >= 0


async def a_component_asks_the_server(transport):
    async with Component() as component:
        version = await component["xep_0092"].get_version(DOMAIN, ifrom=ADDRESS)
        assert version["software_version"]["name"], version
        try:
            await component.make_iq_get(queryxmlns="jabber:iq:roster", ito=f"alice@{DOMAIN}", ifrom=ADDRESS).send()
        except IqError as refused:
            # slixmpp looks for the condition in the namespace of clients only.
            assert "<forbidden" in str(refused.iq), refused.iq
        else:
            raise AssertionError("somebody's roster was shown")


async def what_comes_while_it_is_away_waits(transport):
    async with online(Device("alice", "phone", transport)) as (alice,):
        for n in range(50):
            alice.say(f"x@{ADDRESS}", f"number {n}")
        await alice["xep_0199"].ping(DOMAIN)
        async with Component() as component:
            heard = [(await take(component.inbox))["body"] for _ in range(50)]
            assert heard == [f"number {n}" for n in range(50)], heard


async def presence_goes_both_ways(transport):
    async with Component() as component, online(Device("alice", "phone", transport)) as (alice,):
        contact = f"carol-{transport[0].lower()}@{ADDRESS}"
        alice.send_presence_subscription(pto=contact, ptype="subscribe")
        while (asked := await take(component.presences))["type"] != "subscribe":
            pass
        assert asked["from"].bare == alice.boundjid.bare, asked
        component.send_presence(pfrom=contact, pto=asked["from"].bare, ptype="subscribed")
        component.send_presence(pfrom=f"{contact}/irc", pto=asked["from"].bare, pshow="away")
        await alice.see(contact, "away")


async def a_wrong_secret_does_not_get_in(transport):
    component = Component("another")
    component.connect()
    await asyncio.wait_for(component.over.wait(), PATIENCE)
    assert not component.started.is_set()
    component.abort()


TESTS = (
    people_and_a_component_write_to_each_other,
    a_component_is_found_and_answers,
    a_component_asks_the_server,
    what_comes_while_it_is_away_waits,
    presence_goes_both_ways,
    a_wrong_secret_does_not_get_in,
)
