"""Publish-subscribe (XEP-0060): nodes of the service, made, configured and published to; who is told, who may, and items by pages."""

import asyncio
import xml.etree.ElementTree as ET

from slixmpp.exceptions import IqError
from slixmpp.plugins.xep_0059.stanza import Set
from slixmpp.plugins.xep_0060.stanza import Pubsub
from slixmpp.xmlstream import register_stanza_plugin

from device import DOMAIN, OTHER, PATIENCE, Device, new_account, new_name
from together import online

SERVICE = f"pubsub.{DOMAIN}"
ENTRY = "{http://www.w3.org/2005/Atom}entry"
TITLE = "{http://www.w3.org/2005/Atom}title"
PUBSUB = "http://jabber.org/protocol/pubsub"
KINDS = ("publish", "retract", "purge", "delete", "config", "subscription")

# The library asks for lists of nodes by pages, and leaves pages of items to its users.
register_stanza_plugin(Pubsub, Set)


class Reader(Device):
    """A device that notes what nodes tell it."""

    def __init__(self, user, resource, transport):
        super().__init__(user, resource, transport)
        self.events, self.forms = asyncio.Queue(), asyncio.Queue()
        self.add_event_handler("message_xform", self.forms.put_nowait)
        for kind in KINDS:
            self.add_event_handler(f"pubsub_{kind}", lambda message, kind=kind: self.events.put_nowait((kind, message)))

    @property
    def pubsub(self):
        """The plugin of XEP-0060."""
        return self.plugin["xep_0060"]

    async def next_event(self):
        """The kind of the next event and its message."""
        return await asyncio.wait_for(self.events.get(), PATIENCE)

    async def told(self, kind, node):
        """The next event, which is of this kind and node."""
        found, message = await self.next_event()
        event = message["pubsub_event"]
        place = {"publish": "items", "retract": "items", "config": "configuration"}.get(kind, kind)
        assert (found, event[place]["node"]) == (kind, node), message
        return message

    async def told_item(self, node):
        """The id and the title of the next event, which is one published item of this node."""
        message = await self.told("publish", node)
        (item,) = message["pubsub_event"]["items"]
        return item["id"], title_of(item["payload"])

    async def nothing_told(self):
        """Whatever the server has sent so far, no event is among it."""
        await self.settle()
        assert self.events.empty(), self.events.get_nowait()


def entry(title):
    """A payload."""
    payload = ET.Element(ENTRY)
    ET.SubElement(payload, TITLE).text = title
    return payload


def title_of(payload):
    """What a payload is about."""
    return payload.findtext(TITLE)


def form(device, kind, **fields):
    """A filled-in form of publish-subscribe, by its kind and by its fields without their prefix."""
    filled = device.plugin["xep_0004"].make_form(ftype="submit")
    filled.add_field(var="FORM_TYPE", ftype="hidden", value=f"{PUBSUB}#{kind}")
    for name, value in fields.items():
        filled.add_field(var=f"pubsub#{name}", value=value)
    return filled


async def refusal(request):
    """The condition of the error that answers `request`, and the one of publish-subscribe beside it; none if it is granted."""
    try:
        await request
    except IqError as error:
        errors = f"{{{PUBSUB}#errors}}"
        special = [child.tag.removeprefix(errors) for child in error.iq["error"].xml if child.tag.startswith(errors)]
        return " ".join([error.condition, *special])
    return None


async def owner_and_reader(transport):
    """Devices of two people who do not know each other."""
    return (
        Reader(await new_account("ivan"), "phone", transport),
        Reader(await new_account("judy"), "phone", OTHER[transport]),
    )


async def a_node_is_made_configured_and_deleted(transport):
    async with online(*await owner_and_reader(transport)) as (ivan, judy):
        node = new_name("node")
        default = (await ivan.pubsub.get_node_config(SERVICE))["pubsub_owner"]["default"]["form"]
        assert "pubsub#access_model" in default.get_fields(), default
        await ivan.pubsub.create_node(SERVICE, node, config=form(ivan, "node_config", title="Thoughts <1>", max_items="7"))
        assert await refusal(judy.pubsub.create_node(SERVICE, node)) == "conflict"
        items = (await judy.pubsub.get_nodes(SERVICE))["disco_items"]["items"]
        assert (SERVICE, node) in {(str(jid), name) for jid, name, _ in items}, items
        info = (await judy.plugin["xep_0030"].get_info(SERVICE, node))["disco_info"]
        assert any(identity[:2] == ("pubsub", "leaf") for identity in info["identities"]), info
        config = (await ivan.pubsub.get_node_config(SERVICE, node))["pubsub_owner"]["configure"]["form"]
        values = config.get_values()
        assert (values["pubsub#title"], values["pubsub#max_items"]) == ("Thoughts <1>", "7"), values
        assert await refusal(judy.pubsub.get_node_config(SERVICE, node)) == "forbidden"
        await judy.pubsub.subscribe(SERVICE, node)
        await ivan.pubsub.set_node_config(SERVICE, node, form(ivan, "node_config", title="Ideas", notify_config=True))
        await judy.told("config", node)
        await ivan.pubsub.delete_node(SERVICE, node)
        await judy.told("delete", node)
        assert await refusal(judy.pubsub.get_items(SERVICE, node)) == "item-not-found"
        made = (await ivan.pubsub.create_node(SERVICE, None))["pubsub"]["create"]["node"]
        assert made, "a node that is made without a name gets one"
        await ivan.pubsub.delete_node(SERVICE, made)


async def subscribers_are_told_what_is_published(transport):
    ivan, judy = await owner_and_reader(transport)
    laptop = Reader(judy.boundjid.user, "laptop", transport)
    async with online(ivan, judy, laptop):
        node = new_name("node")
        await ivan.pubsub.create_node(SERVICE, node)
        assert await refusal(judy.pubsub.publish(SERVICE, node, payload=entry("no"))) == "forbidden"
        subscription = (await judy.pubsub.subscribe(SERVICE, node))["pubsub"]["subscription"]
        assert subscription["subscription"] == "subscribed", subscription
        given = (await ivan.pubsub.publish(SERVICE, node, payload=entry("first & <best>")))["pubsub"]["publish"]["item"]["id"]
        for device in (judy, laptop):
            assert await device.told_item(node) == (given, "first & <best>")
        await ivan.pubsub.publish(SERVICE, node, id="two", payload=entry("second"))
        assert await judy.told_item(node) == ("two", "second")
        await ivan.pubsub.retract(SERVICE, node, "two", notify=True)
        retracted = await judy.told("retract", node)
        assert [item["id"] for item in retracted["pubsub_event"]["items"]] == ["two"], retracted
        await ivan.pubsub.purge(SERVICE, node)
        await judy.told("purge", node)
        await judy.pubsub.unsubscribe(SERVICE, node)
        await ivan.pubsub.publish(SERVICE, node, payload=entry("unheard"))
        await judy.nothing_told()
        await ivan.nothing_told()


async def items_are_read_by_pages_by_number_and_by_id(transport):
    async with online(*await owner_and_reader(transport)) as (ivan, judy):
        node = new_name("node")
        await ivan.pubsub.create_node(SERVICE, node, config=form(ivan, "node_config", max_items="max"))
        everything = [f"item {number}" for number in range(25)]
        for name in everything:
            await ivan.pubsub.publish(SERVICE, node, id=name, payload=entry(name))
        ids = lambda answer: [item["id"] for item in answer["pubsub"]["items"]]
        paged = judy.plugin["xep_0059"].iterate(page_request(judy, node), "pubsub", amount=10, results="items")
        pages = [ids(page) async for page in paged]
        assert [len(page) for page in pages] == [10, 10, 5] and sum(pages, []) == everything, pages
        assert set(ids(await judy.pubsub.get_items(SERVICE, node, max_items=2))) == set(everything[-2:])
        named = await judy.pubsub.get_items(SERVICE, node, item_ids=["item 3", "item 7"])
        assert sorted(ids(named)) == ["item 3", "item 7"], named
        one = await judy.pubsub.get_item(SERVICE, node, "item 9")
        assert title_of(one["pubsub"]["items"]["item"]["payload"]) == "item 9", one
        listed = (await judy.pubsub.get_item_ids(SERVICE, node))["disco_items"]["items"]
        assert {name for _, _, name in listed} == set(everything), listed


def page_request(device, node):
    """A request for the items of a node, for pages."""
    request = device.make_iq_get(ito=SERVICE)
    request["pubsub"]["items"]["node"] = node
    return request


async def people_are_let_in_one_by_one(transport):
    async with online(*await owner_and_reader(transport)) as (ivan, judy):
        node = new_name("node")
        await ivan.pubsub.create_node(SERVICE, node, config=form(ivan, "node_config", access_model="authorize"))
        asked = (await judy.pubsub.subscribe(SERVICE, node))["pubsub"]["subscription"]
        assert asked["subscription"] == "pending", asked
        assert await refusal(judy.pubsub.get_items(SERVICE, node)) == "not-authorized not-subscribed"
        waiting = (await asyncio.wait_for(ivan.forms.get(), PATIENCE))["form"].get_values()
        assert (waiting["pubsub#node"], waiting["pubsub#subscriber_jid"]) == (node, judy.bare), waiting
        assert not list((await ivan.pubsub.get_node_subscriptions(SERVICE, node))["pubsub_owner"]["subscriptions"])
        allowed = {"node": node, "subscriber_jid": judy.bare, "subid": waiting["pubsub#subid"], "allow": True}
        answer = ivan.make_message(mto=SERVICE)
        answer.append(form(ivan, "subscribe_authorization", **allowed))
        answer.send()
        told = await judy.told("subscription", node)
        assert told["pubsub_event"]["subscription"]["subscription"] == "subscribed", told
        await ivan.pubsub.publish(SERVICE, node, id="1", payload=entry("for subscribers"))
        assert await judy.told_item(node) == ("1", "for subscribers")
        (mine,) = (await judy.pubsub.get_subscriptions(SERVICE))["pubsub"]["subscriptions"]
        assert (mine["node"], mine["subscription"]) == (node, "subscribed"), mine
        await ivan.pubsub.modify_subscriptions(SERVICE, node, [(judy.bare, "none")])
        told = await judy.told("subscription", node)
        assert told["pubsub_event"]["subscription"]["subscription"] == "none", told
        assert await refusal(judy.pubsub.get_items(SERVICE, node)) == "not-authorized not-subscribed"


async def affiliations_say_who_may_do_what(transport):
    async with online(*await owner_and_reader(transport)) as (ivan, judy):
        node = new_name("node")
        await ivan.pubsub.create_node(SERVICE, node, config=form(ivan, "node_config", access_model="whitelist"))
        assert await refusal(judy.pubsub.subscribe(SERVICE, node)) == "not-allowed closed-node"
        await ivan.pubsub.modify_affiliations(SERVICE, node, [(judy.bare, "publisher")])
        given = (await ivan.pubsub.get_node_affiliations(SERVICE, node))["pubsub_owner"]["affiliations"]
        assert {(one["jid"].bare, one["affiliation"]) for one in given} == {(ivan.bare, "owner"), (judy.bare, "publisher")}, given
        (mine,) = (await judy.pubsub.get_affiliations(SERVICE))["pubsub"]["affiliations"]
        assert (mine["node"], mine["affiliation"]) == (node, "publisher"), mine
        await ivan.pubsub.subscribe(SERVICE, node)
        await judy.pubsub.publish(SERVICE, node, id="hers", payload=entry("from a publisher"))
        assert await ivan.told_item(node) == ("hers", "from a publisher")
        await ivan.pubsub.modify_affiliations(SERVICE, node, [(judy.bare, "outcast")])
        assert await refusal(judy.pubsub.publish(SERVICE, node, payload=entry("no"))) == "forbidden"
        assert await refusal(judy.pubsub.get_items(SERVICE, node)) == "forbidden"


async def a_subscription_has_options(transport):
    async with online(*await owner_and_reader(transport)) as (ivan, judy):
        node = new_name("node")
        await ivan.pubsub.create_node(SERVICE, node)
        default = (await judy.pubsub.get_subscription_options(SERVICE, node))["pubsub"]["default"]
        assert default.xml.find("{jabber:x:data}x") is not None, default
        await judy.pubsub.subscribe(SERVICE, node)
        await set_options(judy, node, deliver=False)
        await ivan.pubsub.publish(SERVICE, node, payload=entry("unheard"))
        await judy.nothing_told()
        options = (await judy.pubsub.get_subscription_options(SERVICE, node, judy.bare))["pubsub"]["options"]["options"]
        assert options.get_values()["pubsub#deliver"] is False, options
        await set_options(judy, node, deliver=True)
        await ivan.pubsub.publish(SERVICE, node, id="2", payload=entry("heard"))
        assert await judy.told_item(node) == ("2", "heard")


async def set_options(device, node, **fields):
    """Sets options of a subscription; the library's own method asks for them instead."""
    request = device.make_iq_set(ito=SERVICE)
    request["pubsub"]["options"]["node"] = node
    request["pubsub"]["options"]["jid"] = device.bare
    request["pubsub"]["options"]["options"] = form(device, "subscribe_options", **fields)
    await request.send()


async def a_publication_may_say_how_the_node_must_be(transport):
    async with online(*await owner_and_reader(transport)) as (ivan, judy):
        node = new_name("node")
        publish = lambda access: ivan.pubsub.publish(
            SERVICE, node, id="1", payload=entry("kept"), options=form(ivan, "publish-options", access_model=access)
        )
        await publish("whitelist")
        await publish("whitelist")
        assert await refusal(publish("open")) == "conflict precondition-not-met"
        assert await refusal(judy.pubsub.get_items(SERVICE, node)) == "not-allowed closed-node"


TESTS = (
    a_node_is_made_configured_and_deleted,
    subscribers_are_told_what_is_published,
    items_are_read_by_pages_by_number_and_by_id,
    people_are_let_in_one_by_one,
    affiliations_say_who_may_do_what,
    a_subscription_has_options,
    a_publication_may_say_how_the_node_must_be,
)
