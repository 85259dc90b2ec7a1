"""People of two servers in one room (XEP-0045), which is at the second's."""

from chat import two
from person import IQ, MESSAGE, Person, condition_of, is_from, new_id

MUC = "http://jabber.org/protocol/muc"
OPEN = f"<query xmlns='{MUC}#owner'><x xmlns='jabber:x:data' type='submit'/></query>"


def new_room(server) -> str:
    """A room at the service of a server that nobody has been in."""
    return f"room{new_id()}@rooms.{server.domain}"


async def enter(person: Person, room: str, nick: str):
    """Goes to a room; the presence that says that one is in it, behind which comes the subject."""
    person.send(f"<presence to='{room}/{nick}'><x xmlns='{MUC}'/></presence>")
    presence = await person.see(f"{room}/{nick}", "available")
    assert "110" in codes(presence), codes(presence)
    await person.hear(
        lambda stanza: stanza.tag == MESSAGE and is_from(stanza, room) and stanza.find("{jabber:client}subject") is not None,
        f"the subject of {room}",
    )
    return presence


def codes(presence) -> list[str]:
    """What a presence of a room says in numbers."""
    return [status.get("code") for status in presence.iter(f"{{{MUC}#user}}status")]


def item(presence):
    """Whom a presence of a room is about."""
    return presence.find(f"{{{MUC}#user}}x/{{{MUC}#user}}item")


def say(person: Person, room: str, body: str) -> str:
    """Says something to everybody there, and returns its id."""
    id = new_id()
    person.send(f"<message to='{room}' type='groupchat' id='{id}'><body>{body}</body></message>")
    return id


async def meet(alice: Person, bob: Person, room: str) -> None:
    """Bob makes a room at his server, and alice comes from hers."""
    await enter(bob, room, "host")
    answer = await bob.ask(OPEN, to=room, kind="set")
    assert (answer.tag, answer.get("type")) == (IQ, "result"), condition_of(answer)
    await enter(alice, room, "guest")
    await alice.see(f"{room}/host", "available")
    await bob.see(f"{room}/guest", "available")


async def people_talk_in_a_room(here, there):
    async with two(here, there) as (alice, bob):
        room = new_room(there)
        await meet(alice, bob, room)
        for person, nick, body in ((bob, "host", "hello"), (alice, "guest", "hello to you")):
            say(person, room, body)
            for listener in (alice, bob):
                message = await listener.hear_words(f"{room}/{nick}", body)
                assert message.get("type") == "groupchat", message.attrib
        alice.say(f"{room}/host", "just for you")
        message = await bob.hear_words(f"{room}/guest", "just for you")
        assert message.get("type") == "chat", message.attrib
        alice.send(f"<presence to='{room}/oldhag'/>")
        gone = await bob.see(f"{room}/guest", "unavailable")
        assert "303" in codes(gone) and item(gone).get("nick") == "oldhag", codes(gone)
        await bob.see(f"{room}/oldhag", "available")
        await alice.see(f"{room}/oldhag", "available")
        alice.presence("unavailable", f"{room}/oldhag")
        await bob.see(f"{room}/oldhag", "unavailable")
        assert "110" in codes(await alice.see(f"{room}/oldhag", "unavailable"))


async def the_room_is_led_by_who_has_made_it(here, there):
    async with two(here, there) as (alice, bob):
        room = new_room(there)
        await meet(alice, bob, room)
        kick = "<query xmlns='{0}#admin'><item nick='{1}' role='none'/></query>"
        answer = await alice.ask(kick.format(MUC, "host"), to=room, kind="set")
        assert condition_of(answer) in ("forbidden", "not-allowed"), condition_of(answer)
        answer = await bob.ask(kick.format(MUC, "guest"), to=room, kind="set")
        assert answer.get("type") == "result", condition_of(answer)
        assert "307" in codes(await alice.see(f"{room}/guest", "unavailable"))
        condition = await alice.hear_error(room, say(alice, room, "still here?"))
        assert condition == "not-acceptable", condition
        ban = f"<query xmlns='{MUC}#admin'><item jid='{alice.bare}' affiliation='outcast'/></query>"
        assert (await bob.ask(ban, to=room, kind="set")).get("type") == "result"
        alice.send(f"<presence to='{room}/guest'><x xmlns='{MUC}'/></presence>")
        refused = await alice.see(f"{room}/guest", "error")
        assert condition_of(refused) == "forbidden", condition_of(refused)


async def who_goes_leaves_the_room(here, there):
    async with two(here, there) as (alice, bob):
        room = new_room(there)
        await meet(alice, bob, room)
        await alice.go()
        assert item(await bob.see(f"{room}/guest", "unavailable")).get("role") == "none"


# Each is run from both sides.
TESTS = (people_talk_in_a_room, the_room_is_led_by_who_has_made_it, who_goes_leaves_the_room)
