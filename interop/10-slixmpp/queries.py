"""Requests to the server, to accounts and between devices."""

import datetime

from slixmpp import JID
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0048.stanza import Bookmarks

from device import DOMAIN, OTHER, Device, new_account
from together import befriend, online


async def two_friends(transport):
    """Devices of two people; they become friends once they are online."""
    return (
        Device(await new_account("grace"), "phone", transport),
        Device(await new_account("heidi"), "phone", OTHER[transport]),
    )


async def refusal(request):
    """The condition of the error that answers `request`; none if it is granted."""
    try:
        await request
    except IqError as error:
        return error.condition
    return None


async def the_server_tells_what_it_can(transport):
    async with online(Device("alice", "phone", transport)) as (alice,):
        info = (await alice.plugin["xep_0030"].get_info(DOMAIN))["disco_info"]
        assert any(identity[:2] == ("server", "im") for identity in info["identities"]), info
        for needed in (
            "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/disco#items", "jabber:iq:last",
            "jabber:iq:register", "urn:xmpp:ping", "urn:xmpp:time", "vcard-temp",
        ):
            assert needed in info["features"], f"{needed} is not among {info['features']}"
        # The hash in the stream's features is that of this answer (XEP-0115).
        assert "caps" in alice.features, alice.features
        caps = alice.plugin["xep_0115"]
        announced = await caps.get_verstring(DOMAIN)
        assert announced and announced == caps.generate_verstring(info, "sha-1"), announced


async def only_contacts_may_discover_an_account(transport):
    async with online(*await two_friends(transport)) as (grace, heidi):
        discover = lambda: grace.plugin["xep_0030"].get_info(heidi.bare)
        assert await refusal(discover()) == "service-unavailable"
        await befriend(grace, heidi)
        info = (await discover())["disco_info"]
        assert any(identity[:2] == ("account", "registered") for identity in info["identities"]), info
        own = (await grace.plugin["xep_0030"].get_info(JID(grace.bare)))["disco_info"]
        assert any(identity[:2] == ("account", "registered") for identity in own["identities"]), own


async def devices_ask_each_other(transport):
    async with online(*await two_friends(transport)) as (grace, heidi):
        ping = lambda: grace.plugin["xep_0199"].send_ping(heidi.full)
        assert await refusal(ping()) == "service-unavailable", "a stranger does not learn which devices there are"
        heidi.send_presence(pto=grace.bare)
        await grace.see(heidi.full, "available")
        await ping()
        await befriend(grace, heidi)
        await heidi.plugin["xep_0199"].send_ping(grace.full)
        info = (await grace.plugin["xep_0030"].get_info(heidi.full))["disco_info"]
        assert "urn:xmpp:ping" in info["features"], info
        version = await heidi.plugin["xep_0092"].get_version(grace.full)
        assert version["from"] == grace.boundjid, version
        nowhere = grace.make_iq_get(queryxmlns="urn:example:no-such-thing", ito=f"{heidi.bare}/nowhere")
        assert await refusal(nowhere.send()) == "service-unavailable"


async def a_visiting_card_is_kept_and_shown(transport):
    async with online(*await two_friends(transport)) as (grace, heidi):
        cards = grace.plugin["xep_0054"]
        card = cards.make_vcard()
        card["FN"] = "Grace <H\u00f6pper>"
        card["NICKNAME"] = "amazing"
        await cards.publish_vcard(card)
        for asking, whose in ((heidi, grace.bare), (grace, grace.bare)):
            kept = (await asking.plugin["xep_0054"].get_vcard(JID(whose)))["vcard_temp"]
            assert kept["FN"] == "Grace <H\u00f6pper>", kept
            assert "amazing" in kept["NICKNAME"], kept
        assert await refusal(cards.get_vcard(JID(heidi.bare))) in (None, "item-not-found", "service-unavailable")


async def private_data_are_kept_for_every_device(transport):
    grace, heidi = await two_friends(transport)
    laptop = Device(grace.boundjid.user, "laptop", OTHER[transport])
    async with online(grace, laptop, heidi):
        bookmarks = Bookmarks()
        bookmarks.add_conference("room@rooms.example", "grace", name="A & B")
        await grace.plugin["xep_0048"].set_bookmarks(bookmarks, method="xep_0049")
        kept = await laptop.plugin["xep_0048"].get_bookmarks(method="xep_0049")
        rooms = [(str(room["jid"]), room["name"]) for room in kept["private"]["bookmarks"]["conferences"]]
        assert rooms == [("room@rooms.example", "A & B")], kept
        other = await heidi.plugin["xep_0048"].get_bookmarks(method="xep_0049")
        assert not list(other["private"]["bookmarks"]["conferences"]), other


async def last_activity_is_told_to_contacts(transport):
    grace, heidi = await two_friends(transport)
    async with online(grace):
        activity = grace.plugin["xep_0012"].get_last_activity
        assert (await activity(DOMAIN))["last_activity"]["seconds"] >= 0
        async with online(heidi):
            assert await refusal(activity(heidi.bare)) == "forbidden"
            await befriend(grace, heidi)
            assert (await activity(heidi.bare))["last_activity"]["seconds"] == 0
            heidi.send_presence(ptype="unavailable", pstatus="heading home")
        await grace.see(heidi.full, "unavailable")
        left = (await activity(heidi.bare))["last_activity"]
        assert 0 <= left["seconds"] < 60 and left["status"] == "heading home", left


async def the_time_is_told(transport):
    async with online(Device("alice", "phone", transport)) as (alice,):
        answer = await alice.plugin["xep_0202"].get_entity_time(DOMAIN)
        # The library's own reading adds a second Z to the text.
        utc = datetime.datetime.fromisoformat(answer["entity_time"].xml.findtext("{urn:xmpp:time}utc"))
        off = utc - datetime.datetime.now(datetime.timezone.utc)
        assert abs(off.total_seconds()) < 5, answer


TESTS = (
    the_server_tells_what_it_can,
    only_contacts_may_discover_an_account,
    devices_ask_each_other,
    a_visiting_card_is_kept_and_shown,
    private_data_are_kept_for_every_device,
    last_activity_is_told_to_contacts,
    the_time_is_told,
)
