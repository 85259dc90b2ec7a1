"""Nodes of one server and people of the other: of the publish-subscribe service (XEP-0060), and of people (XEP-0163)."""

import base64
import hashlib

from chat import two
from person import MESSAGE, Person

PUBSUB, EVENT = "http://jabber.org/protocol/pubsub", "{http://jabber.org/protocol/pubsub#event}"
DISCO, CAPS = "http://jabber.org/protocol/disco#info", "http://jabber.org/protocol/caps"
MOOD, BLOG = "http://jabber.org/protocol/mood", "urn:xmpp:microblog:0"
ENTRY = "{http://www.w3.org/2005/Atom}entry"
CLIENT = "https://test.example"


class Reader(Person):
    """Somebody whose client shows moods, and says so by its capabilities (XEP-0115)."""

    features = (CAPS, DISCO, f"{MOOD}+notify")

    @property
    def hello(self) -> str:
        """Presence with the capabilities."""
        said = "client/pc//test<" + "".join(f"{feature}<" for feature in sorted(self.features))
        ver = base64.b64encode(hashlib.sha1(said.encode()).digest()).decode()
        return f"<presence><c xmlns='{CAPS}' hash='sha-1' node='{CLIENT}' ver='{ver}'/></presence>"

    def answer_to(self, request) -> str:
        query = request.find(f"{{{DISCO}}}query")
        if query is None:
            return ""
        features = "".join(f"<feature var='{feature}'/>" for feature in self.features)
        node = f" node='{query.get('node')}'" if query.get("node") else ""
        return f"<query xmlns='{DISCO}'{node}><identity category='client' type='pc' name='test'/>{features}</query>"

    async def pubsub(self, request: str, to: str = "", kind: str = "set"):
        """Asks a service or a person for something to do with nodes and returns the answer, which may be an error."""
        return await self.ask(f"<pubsub xmlns='{PUBSUB}'>{request}</pubsub>", to, kind)

    async def granted(self, request: str, to: str = "", kind: str = "set"):
        """The same for what must be granted."""
        answer = await self.pubsub(request, to, kind)
        assert answer.get("type") == "result", f"{request}: {[child.tag for child in answer.iter()]}"
        return answer

    async def told(self, sender: str, node: str):
        """What is in the next event of a node: one item, or the retraction of one."""
        message = await self.hear(lambda stanza: _of_node(stanza, sender, node) is not None, f"an event of {node} at {sender}")
        (item,) = _of_node(message, sender, node)
        return item

    def nothing_told(self, sender: str) -> None:
        """Fails if there is an event that nobody has waited for."""
        events = [stanza for stanza in self.heard if stanza.tag == MESSAGE and stanza.find(f"{EVENT}event") is not None]
        assert not any(stanza.get("from") == sender for stanza in events), f"{self.bare} is told something by {sender}"


def _of_node(stanza, sender: str, node: str):
    """What an event says of the items of a node."""
    if stanza.tag != MESSAGE or stanza.get("from") != sender:
        return None
    return next((items for items in stanza.iterfind(f"{EVENT}event/{EVENT}items") if items.get("node") == node), None)


def publish(node: str, id: str, text: str, more: str = "") -> str:
    """A publication of an entry of a blog."""
    entry = f"<entry xmlns='http://www.w3.org/2005/Atom'><title>{text}</title></entry>"
    return f"<publish node='{node}'><item id='{id}'>{entry}</item></publish>{more}"


def mood(what: str) -> str:
    """A publication of a mood."""
    return f"<publish node='{MOOD}'><item id='current'><mood xmlns='{MOOD}'><{what}/></mood></item></publish>"


def text_of(item) -> str:
    """What an entry says."""
    return item.findtext(f"{ENTRY}/{{http://www.w3.org/2005/Atom}}title")


async def befriend(one: Reader, other: Reader) -> None:
    """Both see each other's presence from now on."""
    for asking, asked in ((one, other), (other, one)):
        asking.presence("subscribe", asked.bare)
        await asked.see(asking.bare, "subscribe")
        asked.presence("subscribed", asking.bare)
        await asking.see(asked.bare, "subscribed")
        await asking.see(asked.full, "available")


async def people_elsewhere_subscribe_to_nodes_of_a_service(here, there):
    service = f"pubsub.{here.domain}"
    async with two(here, there, Reader) as (alice, bob):
        node = f"musings of {alice.user}"
        await alice.granted(f"<create node='{node}'/>", service)
        await bob.granted(f"<subscribe node='{node}' jid='{bob.bare}'/>", service)
        await alice.granted(publish(node, "1", "to be"), service)
        item = await bob.told(service, node)
        assert (item.get("id"), text_of(item)) == ("1", "to be"), item.attrib
        await alice.granted(publish(node, "2", "or not &lt;to be&gt;"), service)
        assert text_of(await bob.told(service, node)) == "or not <to be>"
        answer = await bob.granted(f"<items node='{node}'/>", service, "get")
        assert {item.get("id") for item in answer.iter(f"{{{PUBSUB}}}item")} == {"1", "2"}
        answer = await bob.pubsub(publish(node, "3", "from afar"), service)
        assert answer.get("type") == "error", "only publishers publish"
        await alice.granted(f"<retract node='{node}' notify='true'><item id='1'/></retract>", service)
        retracted = await bob.told(service, node)
        assert (retracted.tag, retracted.get("id")) == (f"{EVENT}retract", "1"), retracted.attrib
        await bob.granted(f"<unsubscribe node='{node}' jid='{bob.bare}'/>", service)
        await alice.granted(publish(node, "4", "unheard"), service)
        # Its answer comes behind whatever it has sent before.
        await bob.granted(f"<items node='{node}'/>", service, "get")
        bob.nothing_told(service)


async def friends_elsewhere_are_told_what_their_clients_ask_for(here, there):
    async with two(here, there, Reader) as (alice, bob):
        await befriend(alice, bob)
        await alice.granted(mood("happy"))
        assert (await bob.told(alice.bare, MOOD)).find(f"{{{MOOD}}}mood/{{{MOOD}}}happy") is not None
        # Who comes is told what is so at present.
        await bob.go()
        await alice.see(bob.full, "unavailable")
        await bob.come_online()
        assert (await bob.told(alice.bare, MOOD)).find(f"{{{MOOD}}}mood/{{{MOOD}}}happy") is not None
        answer = await bob.granted(f"<items node='{MOOD}'/>", alice.bare, "get")
        assert answer.find(f".//{{{MOOD}}}happy") is not None
        alice.presence("unsubscribed", bob.bare)
        await bob.see(alice.bare, "unsubscribed")
        bob.heard.clear()
        await alice.granted(mood("sad"))
        alice.say(bob.bare, "this comes behind it")
        await bob.hear_words(alice.full, "this comes behind it")
        bob.nothing_told(alice.bare)
        answer = await bob.pubsub(f"<items node='{MOOD}'/>", alice.bare, "get")
        assert answer.get("type") == "error", "who is no friend any more does not read it"


async def strangers_elsewhere_read_and_subscribe_to_open_nodes_of_people(here, there):
    field = lambda name, value, kind="": f"<field var='{name}'{kind}><value>{value}</value></field>"
    form = field("FORM_TYPE", f"{PUBSUB}#publish-options", " type='hidden'") + field("pubsub#access_model", "open")
    form += field("pubsub#persist_items", "true") + field("pubsub#max_items", "10")
    options = f"<publish-options><x xmlns='jabber:x:data' type='submit'>{form}</x></publish-options>"
    async with two(here, there, Reader) as (alice, bob):
        await alice.granted(publish(BLOG, "1", "hello world", options))
        await bob.granted(f"<subscribe node='{BLOG}' jid='{bob.bare}'/>", alice.bare)
        await alice.granted(publish(BLOG, "2", "again"))
        while text_of(await bob.told(alice.bare, BLOG)) != "again":
            # Some tell a new subscriber what was published last.
            pass
        answer = await bob.granted(f"<items node='{BLOG}' max_items='1'/>", alice.bare, "get")
        assert [text_of(item) for item in answer.iter(f"{{{PUBSUB}}}item")] == ["again"]
        await bob.granted(f"<unsubscribe node='{BLOG}' jid='{bob.bare}'/>", alice.bare)
        await alice.granted(publish(BLOG, "3", "unheard"))
        await bob.granted(f"<items node='{BLOG}'/>", alice.bare, "get")
        bob.nothing_told(alice.bare)


# Each is run from both sides.
TESTS = (
    people_elsewhere_subscribe_to_nodes_of_a_service,
    friends_elsewhere_are_told_what_their_clients_ask_for,
    strangers_elsewhere_read_and_subscribe_to_open_nodes_of_people,
)
