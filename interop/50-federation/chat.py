"""What two people of two servers do: they talk, see each other come and go, and ask for things."""

import contextlib

from person import Person, condition_of

STATUS = "{jabber:client}status"
PING = "<ping xmlns='urn:xmpp:ping'/>"


@contextlib.asynccontextmanager
async def two(here, there, kind=Person):
    """A person of each server, online while the block runs."""
    people = kind(here), kind(there)
    try:
        for person in people:
            await person.come_online()
        yield people
    finally:
        for person in people:
            await person.go()


async def people_talk(here, there):
    async with two(here, there) as (alice, bob):
        alice.say(bob.bare, "how are you?")
        message = await bob.hear_words(alice.full, "how are you?")
        bob.say(message.get("from"), "well, \u00e9\u4e2d\U0001f600 &amp; you?")
        await alice.hear_words(bob.full, "well, \u00e9\u4e2d\U0001f600 & you?")


async def missed_messages_are_kept(here, there):
    async with two(here, there) as (alice, bob):
        await bob.leave()
        alice.say(bob.bare, "while you were away")
        # What is said to one address keeps its order, so whatever answers has had the message before.
        await alice.ask(PING, to=bob.bare)
        await bob.come_online()
        await bob.hear_words(alice.full, "while you were away")


async def people_subscribe_to_each_other(here, there):
    async with two(here, there) as (alice, bob):
        alice.presence("subscribe", bob.bare)
        await bob.see(alice.bare, "subscribe")
        bob.presence("subscribed", alice.bare)
        await alice.see(bob.bare, "subscribed")
        await alice.contact(bob.bare, "to")
        await alice.see(bob.full, "available")
        bob.presence("subscribe", alice.bare)
        await alice.see(bob.bare, "subscribe")
        alice.presence("subscribed", bob.bare)
        await bob.see(alice.bare, "subscribed")
        await bob.see(alice.full, "available")
        await alice.contact(bob.bare, "both")
        await bob.contact(alice.bare, "both")
        bob.send("<presence><show>away</show><status>at lunch</status></presence>")
        await alice.hear(lambda stanza: stanza.findtext(STATUS) == "at lunch", "bob's status")
        await bob.go()
        await alice.see(bob.full, "unavailable")
        alice.heard.clear()
        # Who comes hears of who is there already: the servers ask each other.
        await bob.come_online()
        await bob.see(alice.full, "available")
        await alice.see(bob.full, "available")
        alice.presence("unsubscribe", bob.bare)
        await bob.see(alice.bare, "unsubscribe")
        await bob.contact(alice.bare, "to")
        bob.presence("unsubscribe", alice.bare)
        await alice.see(bob.bare, "unsubscribe")
        await alice.contact(bob.bare, "none")


async def requests_are_answered(here, there):
    async with two(here, there) as (alice, bob):
        answer = await alice.ask(PING, to=there.domain)
        assert (answer.get("type"), answer.get("from")) == ("result", there.domain), answer.attrib
        answer = await alice.ask("<query xmlns='http://jabber.org/protocol/disco#info'/>", to=there.domain)
        identities = answer.iter("{http://jabber.org/protocol/disco#info}identity")
        assert any(identity.get("category") == "server" for identity in identities), answer.attrib
        # Devices answer those whom their people let see them.
        bob.send(f"<presence to='{alice.full}'/>")
        await alice.see(bob.full, "available")
        answer = await alice.ask(PING, to=bob.full)
        assert (answer.get("type"), answer.get("from")) == ("result", bob.full), answer.attrib
        answer = await alice.ask("<query xmlns='urn:example:no-such-thing'/>", to=there.domain)
        assert (answer.get("type"), condition_of(answer)) == ("error", "service-unavailable"), answer.attrib


async def a_person_who_is_not_there_is_told(here, there):
    async with two(here, there) as (alice, _):
        nobody = f"nobody@{there.domain}"
        condition = await alice.hear_error(nobody, alice.say(nobody, "are you there?"))
        assert condition == "service-unavailable", condition
        answer = await alice.ask(PING, to=f"{nobody}/phone")
        assert condition_of(answer) == "service-unavailable", condition_of(answer)


async def a_domain_that_is_not_there_is_told(here, there):
    async with two(here, there) as (alice, _):
        nowhere = f"somebody@nowhere.{there.domain}.invalid"
        condition = await alice.hear_error(nowhere, alice.say(nowhere, "is anybody there?"))
        assert condition == "remote-server-not-found", condition


# Each is run from both sides.
TESTS = (
    people_talk,
    missed_messages_are_kept,
    people_subscribe_to_each_other,
    requests_are_answered,
    a_person_who_is_not_there_is_told,
    a_domain_that_is_not_there_is_told,
)
