"""Rosters, subscriptions and presence (RFC 6121 sections 2 to 4)."""

from device import OTHER, Device, new_account
from together import befriend, online


async def two_people(transport):
    """Devices of two people who do not know each other."""
    return (
        Device(await new_account("carol"), "phone", transport),
        Device(await new_account("dave"), "phone", OTHER[transport]),
    )


async def people_subscribe_to_each_other(transport):
    async with online(*await two_people(transport)) as (carol, dave):
        carol.ask(dave)
        await carol.contact(dave.bare, subscription="none", ask="subscribe")
        await dave.see(carol.bare, "subscribe")
        assert carol.bare not in dave.contacts, dave.contacts
        dave.let_in(carol)
        await carol.see(dave.bare, "subscribed")
        await carol.see(dave.full, "available")
        await carol.contact(dave.bare, subscription="to", ask="")
        await dave.contact(carol.bare, subscription="from")
        dave.ask(carol)
        await carol.see(dave.bare, "subscribe")
        carol.let_in(dave)
        await dave.see(carol.bare, "subscribed")
        await dave.see(carol.full, "available")
        await carol.contact(dave.bare, subscription="both")
        await dave.contact(carol.bare, subscription="both")


async def friends_see_each_other_come_and_go(transport):
    carol, dave = await two_people(transport)
    async with online(carol, dave):
        await befriend(carol, dave)
        dave.send_presence(pshow="away", pstatus="at lunch", ppriority=5)
        away = await carol.see(dave.full, "away")
        assert (away["status"], away["priority"]) == ("at lunch", 5), away
        dave.send_presence(ptype="unavailable", pstatus="heading home")
        assert (await carol.see(dave.full, "unavailable"))["status"] == "heading home"
        await dave.go_offline()
        back = Device(dave.boundjid.user, "laptop", transport)
        async with online(back):
            await carol.see(back.full, "available")
            await back.see(carol.full, "available")
            assert back.contacts[carol.bare]["subscription"] == "both", back.contacts
        await carol.see(back.full, "unavailable")


async def a_request_waits_for_who_is_away(transport):
    carol, dave = await two_people(transport)
    async with online(carol):
        carol.ask(dave)
        await carol.contact(dave.bare, subscription="none", ask="subscribe")
        async with online(dave):
            await dave.see(carol.bare, "subscribe")
            dave.send_presence_subscription(pto=carol.bare, ptype="unsubscribed")
            await carol.see(dave.bare, "unsubscribed")
            await carol.contact(dave.bare, subscription="none", ask="")
            assert "available" not in carol.seen(dave.bare)


async def who_is_no_longer_subscribed_sees_nothing(transport):
    async with online(*await two_people(transport)) as (carol, dave):
        await befriend(carol, dave)
        carol.send_presence_subscription(pto=dave.bare, ptype="unsubscribe")
        await dave.see(carol.bare, "unsubscribe")
        await dave.contact(carol.bare, subscription="to")
        await carol.contact(dave.bare, subscription="from")
        carol.seen(dave.bare)
        dave.send_presence(pshow="dnd")
        dave.say(carol.full, "can you see me?")
        await carol.hear()
        assert "dnd" not in carol.seen(dave.bare)
        carol.send_presence(pshow="xa")
        await dave.see(carol.full, "xa")


async def names_and_groups_reach_every_device(transport):
    carol, dave = await two_people(transport)
    laptop = Device(carol.boundjid.user, "laptop", OTHER[transport])
    async with online(carol, laptop):
        await carol.client_roster.update(dave.bare, name="D\u00e4ve & Co", groups=["Friends", "<Work>"])
        for device in (carol, laptop):
            item = await device.contact(dave.bare, name="D\u00e4ve & Co")
            assert sorted(item["groups"]) == ["<Work>", "Friends"], item
            assert item["subscription"] == "none", item
        await laptop.client_roster.update(dave.bare, name="Dave", groups=["Friends"])
        for device in (carol, laptop):
            await device.contact(dave.bare, name="Dave", groups=["Friends"])
        await carol.client_roster.remove(dave.bare)
        for device in (carol, laptop):
            await device.no_contact(dave.bare)


async def removing_a_contact_ends_both_subscriptions(transport):
    async with online(*await two_people(transport)) as (carol, dave):
        await befriend(carol, dave)
        await carol.client_roster.remove(dave.bare)
        await carol.no_contact(dave.bare)
        await dave.contact(carol.bare, subscription="none")
        await dave.see(carol.full, "unavailable")


async def an_unchanged_roster_is_not_sent_again(transport):
    carol, dave = await two_people(transport)
    async with online(carol):
        assert "rosterver" in carol.features, carol.features
        await carol.client_roster.update(dave.bare, name="Dave")
        await carol.contact(dave.bare, name="Dave")
        version = carol.client_roster.version
        assert version, "a roster push tells the new version"
    laptop = Device(carol.boundjid.user, "laptop", OTHER[transport])
    async with online(laptop):
        answer = await roster_since(laptop, version)
        assert answer.xml.find("{jabber:iq:roster}query") is None, answer
        await laptop.client_roster.update(dave.bare, name="David")
        await laptop.contact(dave.bare, name="David")
    phone = Device(carol.boundjid.user, "phone", transport)
    async with online(phone):
        await roster_since(phone, version)
        # As the whole roster or as a push.
        await phone.contact(dave.bare, name="David")


async def roster_since(device, version):
    """The server's answer to a request with the version of a roster that the device has kept."""
    request = device.Iq()
    request["type"] = "get"
    request["roster"]["ver"] = version
    return await request.send()


async def presence_sent_to_one_person_is_taken_back_at_logout(transport):
    carol, dave = await two_people(transport)
    async with online(dave):
        async with online(carol):
            carol.send_presence(pto=dave.full, pstatus="just for you")
            shown = await dave.see(carol.full, "available")
            assert shown["status"] == "just for you", shown
            assert not dave.contacts, dave.contacts
        await dave.see(carol.full, "unavailable")


async def the_devices_of_one_person_see_each_other(transport):
    phone, _ = await two_people(transport)
    laptop = Device(phone.boundjid.user, "laptop", OTHER[transport])
    async with online(phone):
        async with online(laptop):
            await phone.see(laptop.full, "available")
            await laptop.see(phone.full, "available")
        await phone.see(laptop.full, "unavailable")


TESTS = (
    people_subscribe_to_each_other,
    friends_see_each_other_come_and_go,
    a_request_waits_for_who_is_away,
    who_is_no_longer_subscribed_sees_nothing,
    names_and_groups_reach_every_device,
    removing_a_contact_ends_both_subscriptions,
    an_unchanged_roster_is_not_sent_again,
    presence_sent_to_one_person_is_taken_back_at_logout,
    the_devices_of_one_person_see_each_other,
)
