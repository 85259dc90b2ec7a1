"""Rooms (XEP-0045): found, made, configured, talked in, managed, left and destroyed, with their archive and moderation."""

import asyncio
import contextlib

from slixmpp import JID
from slixmpp.exceptions import PresenceError

from device import DOMAIN, OTHER, PATIENCE, Device, new_account, new_name
from queries import refusal
from together import online

SERVICE = f"rooms.{DOMAIN}"


def next_event(device, name, fits=lambda _: True):
    """What comes with the next event of this name that fits; to be asked for before it can happen."""
    coming = asyncio.get_running_loop().create_future()
    device.add_event_handler(name, lambda what: coming.done() or not fits(what) or coming.set_result(what))
    return asyncio.wait_for(coming, PATIENCE)


async def enter(device, room, nick, **wanted):
    """Enters a room: the own presence, the subject, the presences of others and what was said before."""
    return await device.plugin["xep_0045"].join_muc_wait(room, nick, timeout=PATIENCE, **wanted)


async def configure(device, room, **fields):
    """Takes the room as it is, or with these fields of its form."""
    muc = device.plugin["xep_0045"]
    form = await muc.get_room_config(room)
    form.set_values({f"muc#roomconfig_{name}": value for name, value in fields.items()})
    await muc.set_room_config(room, form)


def say(device, room, body):
    """Says something to everybody."""
    device.send_message(mto=room, mbody=body, mtype="groupchat")


async def hear(device, room, nick, body):
    """The next message is this one."""
    message = await device.hear()
    assert (message["type"], message["from"], message["body"]) == ("groupchat", JID(f"{room}/{nick}"), body), message
    return message


@contextlib.asynccontextmanager
async def room_of_two(transport, **fields):
    """A room that belongs to the first of two, who is in it as `owner`; the second is there as `guest`."""
    alice = Device(await new_account("owner"), "phone", transport)
    bob = Device(await new_account("guest"), "phone", OTHER[transport])
    room = JID(f"{new_name('room')}@{SERVICE}")
    async with online(alice, bob):
        await enter(alice, room, "owner")
        await configure(alice, room, **fields)
        bob_comes = next_event(alice, f"muc::{room}::got_online")
        await enter(bob, room, "guest", password=fields.get("roomsecret"))
        await bob_comes
        yield alice, bob, room


async def a_room_is_found_made_and_configured(transport):
    alice = Device(await new_account("owner"), "phone", transport)
    room = JID(f"{new_name('room')}@{SERVICE}")
    async with online(alice):
        disco = alice.plugin["xep_0030"]
        items = (await disco.get_items(DOMAIN))["disco_items"]["items"]
        assert SERVICE in [str(item[0]) for item in items], items
        info = (await disco.get_info(SERVICE))["disco_info"]
        assert any(identity[:2] == ("conference", "text") for identity in info["identities"]), info
        assert "http://jabber.org/protocol/muc" in info["features"], info
        presence, subject, occupants, history = await enter(alice, room, "owner")
        assert {110, 201} <= presence["muc"]["status_codes"], presence
        assert (presence["muc"]["affiliation"], presence["muc"]["role"]) == ("owner", "moderator"), presence
        assert not history and not subject["subject"], (history, subject)
        await configure(alice, room, roomname="A & B", persistentroom=True, publicroom=True)
        items = (await disco.get_items(SERVICE))["disco_items"]["items"]
        assert (str(room), "A & B") in [(str(item[0]), item[2]) for item in items], items
        info = (await disco.get_info(room))["disco_info"]
        assert {"muc_persistent", "muc_public", "urn:xmpp:occupant-id:0", "urn:xmpp:mam:2"} <= set(info["features"]), info


async def people_talk_in_a_room(transport):
    async with room_of_two(transport) as (alice, bob, room):
        assert sorted(bob.plugin["xep_0045"].get_roster(room)) == ["guest", "owner"]
        for sender, nick, body in ((alice, "owner", "hello <&> \u00e9\U0001f389"), (bob, "guest", "hello to you")):
            say(sender, room, body)
            for device in (alice, bob):
                await hear(device, room, nick, body)
        bob.say(f"{room}/owner", "just for you")
        message = await alice.hear()
        assert (message["type"], message["from"], message["body"]) == ("chat", JID(f"{room}/guest"), "just for you"), message
        told = next_event(bob, f"muc::{room}::groupchat_subject")
        alice.plugin["xep_0045"].set_subject(room, "Spells")
        assert (await told)["subject"] == "Spells"
        assert await bob.plugin["xep_0045"].set_self_nick(room, "oldhag") == "oldhag"
        await bob.plugin["xep_0199"].send_ping(JID(f"{room}/oldhag"), timeout=PATIENCE)
        gone = next_event(alice, f"muc::{room}::got_offline")
        bob.plugin["xep_0045"].leave_muc(room, "oldhag", "bye")
        assert (await gone)["from"].resource == "oldhag"
        assert await refusal(bob.plugin["xep_0199"].send_ping(JID(f"{room}/oldhag"), timeout=PATIENCE)) == "not-acceptable"


async def who_comes_late_is_told_what_was_said(transport):
    async with room_of_two(transport) as (alice, bob, room):
        for number in range(5):
            say(alice, room, f"number {number}")
            await hear(bob, room, "owner", f"number {number}")
        carol = Device(await new_account("late"), "phone", transport)
        async with online(carol):
            _, _, occupants, history = await enter(carol, room, "late", maxstanzas=3)
            assert [message["body"] for message in history] == ["number 2", "number 3", "number 4"], history
            # The library counts itself among them.
            assert {presence["muc"]["nick"] for presence in occupants} >= {"owner", "guest"}, occupants
            mam = carol.plugin["xep_0313"]
            rows = [row["mam_result"]["forwarded"]["stanza"] async for row in mam.iterate(jid=room, rsm={"max": 2})]
            assert [row["body"] for row in rows] == [f"number {number}" for number in range(5)], rows
            assert {row["from"] for row in rows} == {JID(f"{room}/owner")}, rows


async def moderators_manage_people(transport):
    async with room_of_two(transport, moderatedroom=True) as (alice, bob, room):
        muc = alice.plugin["xep_0045"]
        say(bob, room, "may I")
        refused = await bob.hear()
        assert refused["error"]["condition"] == "forbidden", refused
        assert await muc.get_roles_list(room, "visitor") == ["guest"]
        changed = next_event(bob, f"muc::{room}::self-presence")
        await muc.set_role(room, "guest", "participant", reason="worthy")
        assert (await changed)["muc"]["role"] == "participant"
        say(bob, room, "thanks")
        await hear(alice, room, "guest", "thanks")
        await hear(bob, room, "guest", "thanks")
        await muc.set_affiliation(room, "admin", jid=bob.bare)
        assert await muc.get_affiliation_list(room, "admin") == [JID(bob.bare)]
        # Admins do not lower owners.
        assert await refusal(bob.plugin["xep_0045"].set_role(room, "owner", "none")) == "not-allowed"
        await muc.set_affiliation(room, "none", jid=bob.bare)
        gone = next_event(bob, f"muc::{room}::self-presence", lambda seen: seen["type"] == "unavailable")
        await muc.set_role(room, "guest", "none", reason="Avaunt")
        left = await gone
        assert {110, 307} <= left["muc"]["status_codes"], left
        await muc.set_affiliation(room, "outcast", jid=bob.bare, reason="Treason")
        try:
            await enter(bob, room, "guest")
        except PresenceError as error:
            assert error.condition == "forbidden", error
        else:
            raise AssertionError("an outcast is let in")


async def people_are_invited(transport):
    async with room_of_two(transport, membersonly=False, passwordprotectedroom=True, roomsecret="cauldronburn") as (alice, _, room):
        carol = Device(await new_account("invited"), "phone", transport)
        async with online(carol):
            # The library tells only of rooms that it has not tried to enter.
            invited = next_event(carol, "groupchat_invite")
            alice.plugin["xep_0045"].invite(room, carol.bare, "come")
            invitation = await invited
            assert invitation["from"] == room and invitation["muc"]["invite"]["reason"] == "come", invitation
            try:
                await enter(carol, room, "carol")
            except PresenceError as error:
                assert error.condition == "not-authorized", error
            _, _, occupants, _ = await enter(carol, room, "carol", password="cauldronburn")
            direct = next_event(alice, "groupchat_direct_invite")
            carol.plugin["xep_0249"].send_invitation(alice.full, room, reason="directly")
            assert (await direct)["groupchat_invite"]["jid"] == room


async def a_room_ends(transport):
    async with room_of_two(transport, persistentroom=True) as (alice, bob, room):
        told = next_event(bob, f"muc::{room}::self-presence")
        await alice.plugin["xep_0045"].destroy(room, reason="Macbeth doth come", altroom=f"heath@{SERVICE}")
        end = (await told).xml.find("{http://jabber.org/protocol/muc#user}x/{http://jabber.org/protocol/muc#user}destroy")
        assert end is not None and end.get("jid") == f"heath@{SERVICE}", end
        assert await refusal(alice.plugin["xep_0030"].get_info(room)) in ("item-not-found", "gone")


TESTS = (
    a_room_is_found_made_and_configured,
    people_talk_in_a_room,
    who_comes_late_is_told_what_was_said,
    moderators_manage_people,
    people_are_invited,
    a_room_ends,
)
