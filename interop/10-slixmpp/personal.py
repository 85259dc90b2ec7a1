"""Nodes of people (XEP-0163): what friends do and how they look, bookmarks in three places (XEP-0048, XEP-0402), and blogs with comments."""

import base64
import xml.etree.ElementTree as ET

from slixmpp import JID
from slixmpp.plugins.xep_0048.stanza import Bookmarks
from slixmpp.plugins.xep_0402.stanza import Conference, Extensions

from device import OTHER, new_account
from pubsub import Reader, entry, form, refusal, title_of
from together import befriend, online

ACTIVITY, MOOD, NICK, TUNE = (f"http://jabber.org/protocol/{name}" for name in ("activity", "mood", "nick", "tune"))
AVATAR, AVATAR_DATA = "urn:xmpp:avatar:metadata", "urn:xmpp:avatar:data"
BOOKMARKS, BLOG = "urn:xmpp:bookmarks:1", "urn:xmpp:microblog:0"
# One pixel.
IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Person(Reader):
    """A device whose client shows what friends do, and says so by its capabilities."""

    def __init__(self, user, resource, transport, nodes=(MOOD, TUNE, NICK, AVATAR, BOOKMARKS, BLOG)):
        super().__init__(user, resource, transport)
        for plugin in ("xep_0084", "xep_0107", "xep_0118", "xep_0172", "xep_0402"):
            self.register_plugin(plugin)
        self.plugin["xep_0163"].add_interest(list(nodes))

    async def told_by(self, other, node):
        """The payload of the next item of this person and node; others are passed over."""
        while True:
            kind, message = await self.next_event()
            items = message["pubsub_event"]["items"]
            if kind == "publish" and message["from"].bare == other.bare and items["node"] == node:
                (item,) = items
                return item["id"], item["payload"]


async def two_friends(transport):
    """Devices of two people; they become friends once they are online."""
    return (
        Person(await new_account("karl"), "phone", transport),
        Person(await new_account("lena"), "phone", OTHER[transport]),
    )


async def friends_hear_what_people_do(transport):
    karl, lena = await two_friends(transport)
    laptop = Person(karl.boundjid.user, "laptop", OTHER[transport])
    async with online(karl, lena, laptop):
        await karl.plugin["xep_0107"].publish_mood("happy", "it works")
        _, mood = await laptop.told_by(karl, MOOD)
        assert mood.find(f"{{{MOOD}}}happy") is not None, "the own devices hear of it"
        await lena.nothing_told()
        assert await refusal(lena.pubsub.get_items(karl.bare, MOOD)) == "item-not-found"
        await befriend(karl, lena)
        _, mood = await lena.told_by(karl, MOOD)
        assert mood.findtext(f"{{{MOOD}}}text") == "it works", "who becomes a friend hears what is so at present"
        await karl.plugin["xep_0118"].publish_tune(artist="A & B", title="<Tune>", length=200)
        _, tune = await lena.told_by(karl, TUNE)
        assert (tune.findtext(f"{{{TUNE}}}artist"), tune.findtext(f"{{{TUNE}}}title")) == ("A & B", "<Tune>")
        await karl.plugin["xep_0172"].publish_nick("Karlchen")
        assert (await lena.told_by(karl, NICK))[1].text == "Karlchen"
        # A node that its client does not ask for.
        await karl.pubsub.publish(None, ACTIVITY, payload=entry("reading"))
        await lena.nothing_told()
        (item,) = (await lena.pubsub.get_items(karl.bare, ACTIVITY))["pubsub"]["items"]
        assert title_of(item["payload"]) == "reading", item


async def who_comes_hears_what_is_so_and_strangers_hear_nothing(transport):
    karl, lena = await two_friends(transport)
    async with online(karl):
        async with online(lena):
            await befriend(karl, lena)
        await karl.plugin["xep_0107"].publish_mood("tired")
    laptop = Person(lena.boundjid.user, "laptop", transport)
    async with online(laptop):
        _, mood = await laptop.told_by(karl, MOOD)
        assert mood.find(f"{{{MOOD}}}tired") is not None, "also of somebody who is not there"
        karl = Person(karl.boundjid.user, "phone", transport)
        async with online(karl):
            await laptop.see(karl.full, "available")
            karl.send_presence_subscription(pto=laptop.bare, ptype="unsubscribed")
            await laptop.see(karl.bare, "unsubscribed")
            await karl.plugin["xep_0107"].publish_mood("relieved")
            await karl.told_by(karl, MOOD)
            karl.say(laptop.bare, "this comes behind it")
            await laptop.hear()
            await laptop.nothing_told()
            assert await refusal(laptop.pubsub.get_items(karl.bare, MOOD)) == "item-not-found"


async def avatars_are_seen_by_new_and_old_clients(transport):
    async with online(*await two_friends(transport)) as (karl, lena):
        await befriend(karl, lena)
        avatars = karl.plugin["xep_0084"]
        name = avatars.generate_id(IMAGE)
        await avatars.publish_avatar(IMAGE)
        await avatars.publish_avatar_metadata({"id": name, "type": "image/png", "bytes": len(IMAGE), "width": "1", "height": "1"})
        told, metadata = await lena.told_by(karl, AVATAR)
        info = metadata.find(f"{{{AVATAR}}}info")
        assert (told, info.get("id"), info.get("bytes")) == (name, name, str(len(IMAGE))), told
        found = await lena.plugin["xep_0084"].retrieve_avatar(karl.bare, name)
        assert found["pubsub"]["items"]["item"]["avatar_data"]["value"] == IMAGE, found
        card = (await lena.plugin["xep_0054"].get_vcard(JID(karl.bare)))["vcard_temp"]
        assert base64.b64decode(card.xml.findtext("{vcard-temp}PHOTO/{vcard-temp}BINVAL")) == IMAGE, card
        karl.send_presence(pshow="away")
        assert hash_of(await lena.see(karl.full, "away")) == name
        await avatars.stop()
        assert not list((await lena.told_by(karl, AVATAR))[1])
        karl.send_presence(pshow="xa")
        assert not hash_of(await lena.see(karl.full, "xa"))
        # An old client sets a picture in its card.
        card = karl.plugin["xep_0054"].make_vcard()
        card["FN"] = "Karl"
        card["PHOTO"]["TYPE"] = "image/png"
        card["PHOTO"]["BINVAL"] = IMAGE
        await karl.plugin["xep_0054"].publish_vcard(card)
        assert (await lena.told_by(karl, AVATAR))[0] == name


def hash_of(presence):
    """The hash of the avatar that a presence tells, as old clients read it (XEP-0153)."""
    update = "{vcard-temp:x:update}"
    return presence.xml.findtext(f"{update}x/{update}photo")


async def bookmarks_are_the_same_in_three_places(transport):
    karl, lena = await two_friends(transport)
    laptop = Person(karl.boundjid.user, "laptop", OTHER[transport])
    async with online(karl, laptop, lena):
        await befriend(karl, lena)
        room = Conference()
        room["name"], room["autojoin"], room["nick"] = "The <Play>", True, "JC"
        extension = Extensions()
        ET.SubElement(extension.xml, "{urn:example:state}state", {"minimized": "true"})
        room.append(extension)
        options = form(karl, "publish-options", persist_items="true", access_model="whitelist", max_items="max")
        await karl.pubsub.publish(None, BOOKMARKS, id="play@rooms.example", payload=room, options=options)
        name, conference = await laptop.told_by(karl, BOOKMARKS)
        assert (name, conference.get("name")) == ("play@rooms.example", "The <Play>"), name
        for way in ("xep_0049", "xep_0223"):
            kept = await old_bookmarks(laptop, way)
            assert [(str(one["jid"]), one["name"], one["nick"], one["autojoin"]) for one in kept["conferences"]] == [
                ("play@rooms.example", "The <Play>", "JC", True)
            ], (way, kept)
        # Old clients write the whole list.
        for way, other in (("xep_0049", "orchard"), ("xep_0223", "garden")):
            listed = Bookmarks()
            listed.add_conference("play@rooms.example", "JC", name="The <Play>", autojoin=True)
            listed.add_conference(f"{other}@rooms.example", "Romeo", name=other)
            await laptop.plugin["xep_0048"].set_bookmarks(listed, method=way)
            while (await karl.told_by(karl, BOOKMARKS))[0] != f"{other}@rooms.example":
                pass
            items = {item["id"]: item for item in (await karl.pubsub.get_items(None, BOOKMARKS))["pubsub"]["items"]}
            assert set(items) == {"play@rooms.example", f"{other}@rooms.example"}, items
            kept = items["play@rooms.example"]["payload"].find(f"{{{BOOKMARKS}}}extensions/{{urn:example:state}}state")
            assert kept is not None and kept.get("minimized") == "true", "what no old client knows stays"
        assert await refusal(lena.pubsub.get_items(karl.bare, BOOKMARKS)) == "not-allowed closed-node"


async def old_bookmarks(device, way):
    """The list that a client of earlier days has."""
    answer = await device.plugin["xep_0048"].get_bookmarks(method=way)
    return answer["private"]["bookmarks"] if way == "xep_0049" else answer["pubsub"]["items"]["item"]["bookmarks"]


async def strangers_read_blogs_and_comment(transport):
    karl, lena = await two_friends(transport)
    friend = Person(await new_account("mona"), "phone", transport)
    async with online(karl, lena, friend):
        await befriend(karl, friend)
        comments = f"{BLOG}:comments/1"
        options = form(karl, "publish-options", access_model="open", persist_items="true", max_items="max")
        await karl.pubsub.publish(None, BLOG, id="1", payload=entry("hello <world>"), options=options)
        assert title_of((await friend.told_by(karl, BLOG))[1]) == "hello <world>"
        config = form(karl, "node_config", access_model="open", publish_model="open")
        await karl.pubsub.create_node(None, comments, config=config)
        (post,) = (await lena.pubsub.get_items(karl.bare, BLOG))["pubsub"]["items"]
        assert (post["id"], title_of(post["payload"])) == ("1", "hello <world>"), post
        assert await refusal(lena.pubsub.publish(karl.bare, BLOG, payload=entry("mine"))) == "forbidden"
        await lena.pubsub.subscribe(karl.bare, BLOG)
        await karl.pubsub.subscribe(karl.bare, comments)
        await lena.pubsub.publish(karl.bare, comments, id="c", payload=entry("well said"))
        name, comment = await karl.told_by(karl, comments)
        assert (name, title_of(comment)) == ("c", "well said"), name
        await karl.pubsub.publish(None, BLOG, id="2", payload=entry("again"))
        for reader in (friend, lena):
            assert title_of((await reader.told_by(karl, BLOG))[1]) == "again"
        await lena.pubsub.retract(karl.bare, comments, "c")
        assert not list((await karl.pubsub.get_items(None, comments))["pubsub"]["items"])


TESTS = (
    friends_hear_what_people_do,
    who_comes_hears_what_is_so_and_strangers_hear_nothing,
    avatars_are_seen_by_new_and_old_clients,
    bookmarks_are_the_same_in_three_places,
    strangers_read_blogs_and_comment,
)
