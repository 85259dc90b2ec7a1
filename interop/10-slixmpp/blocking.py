"""People who do not want to hear of each other: the blocking command (XEP-0191), privacy lists (XEP-0016) and reports (XEP-0377)."""

import slixmpp
from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0191 import BlockItem

from device import DOMAIN, OTHER, Device, new_account
from together import befriend, online


async def two(transport):
    """Two people of their own, so that no test leaves a block to another."""
    phone = Device(await new_account("blocker"), "phone", transport)
    other = Device(await new_account("blocked"), "phone", OTHER[transport])
    return phone, other


def pushes_of(device):
    """What the device is told of the blocklist from here on, as pairs of a verb and addresses."""
    pushes = []
    for event, verb in (("blocked", "block"), ("unblocked", "unblock")):
        device.add_event_handler(event, lambda iq, verb=verb: pushes.append((verb, sorted(str(i["jid"]) for i in iq[verb]))))
    return pushes


async def refused(request):
    """The condition of the error that answers a request."""
    try:
        await request
    except IqError as error:
        return error.condition
    raise AssertionError("the request was answered")


async def blocked_people_see_somebody_who_is_away(transport):
    alice, bob = await two(transport)
    laptop = Device(alice.requested_jid.user, "laptop", OTHER[transport])
    async with online(alice, bob, laptop):
        await befriend(alice, bob)
        await bob.see(alice.full, "available")
        info = await alice.plugin["xep_0030"].get_info(DOMAIN)
        assert {"urn:xmpp:blocking", "jabber:iq:privacy"} <= set(info["disco_info"]["features"]), info
        assert await laptop.plugin["xep_0191"].get_blocked_jids() == set()
        pushes = pushes_of(laptop)
        await alice.plugin["xep_0191"].block(slixmpp.JID(bob.bare))
        await bob.see(alice.full, "unavailable")
        assert await alice.plugin["xep_0191"].get_blocked_jids() == {slixmpp.JID(bob.bare)}
        bob.say(alice.bare, "not to be heard")
        error = await bob.hear()
        assert error["type"] == "error" and error["error"]["condition"] == "service-unavailable", error
        alice.say(bob.bare, "not to be sent")
        error = await alice.hear()
        assert error["type"] == "error" and error["error"]["condition"] == "not-acceptable", error
        assert error.xml.find(".//{urn:xmpp:blocking:errors}blocked") is not None, error
        assert await refused(bob.plugin["xep_0092"].get_version(alice.full)) == "service-unavailable"
        await alice.plugin["xep_0191"].unblock(slixmpp.JID(bob.bare))
        await bob.see(alice.full, "available")
        bob.say(alice.full, "to be heard")
        assert (await alice.hear())["body"] == "to be heard"
        await laptop.settle()
        assert pushes == [("block", [bob.bare]), ("unblock", [bob.bare])], pushes


async def a_privacy_list_lets_only_friends_write(transport):
    alice, bob = await two(transport)
    async with online(alice, bob):
        lists = alice.plugin["xep_0016"]
        rule = {"type": "subscription", "value": "none", "action": "deny", "order": "1", "message": True}
        await lists.edit_list("friends", [rule])
        await lists.make_default("friends")
        known = await lists.get_privacy_lists()
        assert known["privacy"]["default"]["name"] == "friends", known
        item = (await lists.get_list("friends"))["privacy"]["list"]["items"][0]
        assert (item["value"], item["action"], item["message"], item["iq"]) == ("none", "deny", True, False), item
        bob.say(alice.bare, "from a stranger")
        assert (await bob.hear())["error"]["condition"] == "service-unavailable"
        await befriend(alice, bob)
        bob.say(alice.bare, "from a friend")
        assert (await alice.hear())["body"] == "from a friend"
        await lists.remove_default()
        await lists.remove_list("friends")
        assert await refused(lists.get_list("friends")) == "item-not-found"


async def a_report_comes_with_a_block(transport):
    alice, bob = await two(transport)
    async with online(alice):
        iq = alice.make_iq_set()
        item = BlockItem(parent=iq["block"])
        item["jid"] = slixmpp.JID(f"{bob.requested_jid.bare}")
        item["report"]["reason"] = "urn:xmpp:reporting:spam"
        item["report"]["text"] = "cheap watches"
        await iq.send()
        assert await alice.plugin["xep_0191"].get_blocked_jids() == {slixmpp.JID(bob.requested_jid.bare)}


TESTS = (blocked_people_see_somebody_who_is_away, a_privacy_list_lets_only_friends_write, a_report_comes_with_a_block)
