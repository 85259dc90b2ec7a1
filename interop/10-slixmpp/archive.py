"""What was said before: the archive (XEP-0313) page by page in both directions, filtered, and what people want in it (XEP-0441)."""

from device import OTHER, Device, new_account
from together import online


async def two(transport):
    """Two people of their own, so that their archives hold what the test puts there."""
    alice = Device(await new_account("writer"), "phone", transport)
    bob = Device(await new_account("reader"), "phone", OTHER[transport])
    return alice, bob


async def talk(alice, bob, count):
    """Alice says so many numbered things, and bob has heard them all."""
    for number in range(1, count + 1):
        alice.say(bob.bare, str(number))
    return [(await bob.hear())["body"] for _ in range(count)]


async def found(device, **wanted):
    """The bodies in the archive of this device's account, page by page."""
    mam = device.plugin["xep_0313"]
    return [m["mam_result"]["forwarded"]["stanza"]["body"] async for m in mam.iterate(jid=device.boundjid.bare, **wanted)]


async def the_archive_is_read_page_by_page(transport):
    alice, bob = await two(transport)
    async with online(alice, bob):
        said = await talk(alice, bob, 25)
        for device in (alice, bob):
            assert await found(device, rsm={"max": 10}) == said
            # Backwards slixmpp stops after one page where the server tells its place: it takes the last page for the end.
            backward = await found(device, rsm={"max": 10}, reverse=True)
            assert backward == said[:-11:-1], backward
        assert await found(bob, with_jid=alice.boundjid.bare) == said
        assert await found(bob, with_jid=bob.boundjid.bare) == []


async def the_archive_tells_its_ends_and_its_form(transport):
    alice, bob = await two(transport)
    async with online(alice, bob):
        await talk(alice, bob, 3)
        mam = bob.plugin["xep_0313"]
        info = await bob.plugin["xep_0030"].get_info(bob.boundjid.bare)
        assert {"urn:xmpp:mam:2", "urn:xmpp:mam:2#extended"} <= set(info["disco_info"]["features"]), info
        fields = await mam.get_fields()
        assert {"with", "start", "end", "before-id", "after-id", "ids"} <= set(fields.get_fields()), fields
        metadata = (await mam.get_archive_metadata())["mam_metadata"]
        assert (metadata["start"]["id"], metadata["end"]["id"]) == ("1", "3"), metadata


async def people_say_what_is_archived(transport):
    alice, bob = await two(transport)
    async with online(alice, bob):
        preferences = bob.plugin["xep_0441"]
        default, _, _ = await preferences.get_preferences()
        assert default == "always", default
        await preferences.set_preferences(default="always", always=[], never=[alice.boundjid.bare])
        said = await talk(alice, bob, 2)
        assert await found(bob) == [] and await found(alice) == said


TESTS = (the_archive_is_read_page_by_page, the_archive_tells_its_ends_and_its_form, people_say_what_is_archived)
