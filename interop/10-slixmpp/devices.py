"""People with several devices: copies of messages (XEP-0280), and devices that nobody looks at (XEP-0352)."""

from device import DOMAIN, OTHER, Device
from together import online


async def every_device_knows_the_whole_conversation(transport):
    phone, laptop = Device("alice", "phone", transport), Device("alice", "laptop", OTHER[transport])
    bob = Device("bob", "phone", transport)
    async with online(phone, laptop, bob):
        info = await phone.plugin["xep_0030"].get_info(DOMAIN)
        assert {"urn:xmpp:carbons:2", "urn:xmpp:carbons:rules:0"} <= set(info["disco_info"]["features"]), info
        await laptop.plugin["xep_0280"].enable()
        phone.say(bob.full, "a question")
        which, message = await laptop.copy()
        assert which == "sent" and message["body"] == "a question" and message["to"] == bob.boundjid, (which, message)
        assert (await bob.hear())["body"] == "a question"
        bob.say(phone.full, "an answer")
        which, message = await laptop.copy()
        assert which == "received" and message["body"] == "an answer" and message["from"] == bob.boundjid, (which, message)
        assert (await phone.hear())["body"] == "an answer"
        await laptop.plugin["xep_0280"].disable()
        phone.say(bob.full, "not for the laptop")
        assert (await bob.hear())["body"] == "not for the laptop"
        await laptop.settle()
        assert laptop.copies.empty(), laptop.copies


async def presence_waits_while_nobody_looks(transport):
    alice, bob = Device("alice", "phone", transport), Device("bob", "phone", OTHER[transport])
    async with online(alice, bob):
        bob.plugin["xep_0352"].send_inactive()
        await bob.settle()
        alice.send_presence(pto=bob.full, pstatus="first")
        alice.send_presence(pto=bob.full, pstatus="second")
        alice.send_presence(pto=bob.full, pshow="away")
        alice.say(bob.full, "look")
        assert (await bob.hear())["body"] == "look"
        # Of three only the last, and before the message.
        assert bob.seen(alice.bare) == ["away"]
        alice.send_presence(pto=bob.full, pshow="dnd")
        bob.plugin["xep_0352"].send_active()
        await bob.see(alice.full, "dnd")


TESTS = (every_device_knows_the_whole_conversation, presence_waits_while_nobody_looks)
