"""Streams and messages between people with several devices."""

import asyncio
import time

from slixmpp.exceptions import IqError

from device import DOMAIN, OTHER, Device
from together import online


async def login_is_verified_and_encrypted(transport):
    async with online(Device("alice", "phone", transport)) as (alice,):
        assert alice.boundjid.full == f"alice@{DOMAIN}/phone", alice.boundjid
        assert alice.mechanism.startswith("SCRAM-"), alice.mechanism
        tls = alice.transport.get_extra_info("ssl_object")
        assert tls.version() in ("TLSv1.2", "TLSv1.3"), tls.version()
        names = tls.getpeercert()["subjectAltName"]
        assert ("DNS", DOMAIN) in names, names


async def wrong_password_is_refused(transport):
    alice = Device("alice", "phone", transport, password="wrong")
    try:
        await alice.log_in()
    except PermissionError:
        return
    finally:
        await alice.go_offline()
    raise AssertionError("a wrong password logged in")


async def every_device_reaches_every_device(transport):
    devices = [Device(user, resource, kind) for user, resource, kind in (
        ("alice", "phone", transport), ("alice", "laptop", OTHER[transport]),
        ("bob", "phone", transport), ("bob", "laptop", OTHER[transport]))]
    async with online(*devices):
        for sender in devices:
            for recipient in devices:
                if sender.boundjid.user == recipient.boundjid.user:
                    continue
                body = f"from {sender.boundjid.full} to {recipient.boundjid.full} <&> \u00e9\U0001f389"
                sender.say(recipient.boundjid.full, body)
                message = await recipient.hear()
                assert message["body"] == body, message
                assert message["from"] == sender.boundjid, message
                assert message["type"] == "chat", message


async def message_to_the_person_reaches_a_device(transport):
    alice = Device("alice", "phone", transport)
    phone, laptop = Device("bob", "phone", transport), Device("bob", "laptop", OTHER[transport])
    async with online(alice, phone, laptop):
        alice.say(f"bob@{DOMAIN}", "to whichever device you look at")
        listening = [asyncio.create_task(device.hear()) for device in (phone, laptop)]
        heard, silent = await asyncio.wait(listening, return_when=asyncio.FIRST_COMPLETED)
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        assert all(task.result()["body"].startswith("to whichever") for task in heard), heard


async def order_is_kept(transport):
    async with online(Device("alice", "phone", transport), Device("bob", "phone", transport)) as (alice, bob):
        bodies = [f"number {number}" for number in range(100)]
        for body in bodies:
            alice.say(bob.boundjid.full, body)
        heard = [(await bob.hear())["body"] for _ in bodies]
        assert heard == bodies, heard


async def missed_messages_come_with_their_time(transport):
    async with online(Device("bob", "phone", transport)):
        pass
    began = time.time()
    bodies = [f"while you were away, {number}" for number in range(5)]
    async with online(Device("alice", "phone", transport)) as (alice,):
        for body in bodies:
            alice.say(f"bob@{DOMAIN}", body)
        await alice.settle()
    async with online(Device("bob", "laptop", OTHER[transport])) as (bob,):
        messages = [await bob.hear() for _ in bodies]
        assert [message["body"] for message in messages] == bodies, messages
        for message in messages:
            stamp = message["delay"]["stamp"].timestamp()
            assert began - 2 < stamp < time.time() + 2, (began, stamp)
    async with online(Device("bob", "laptop", transport)) as (bob,):
        alice = Device("alice", "phone", transport)
        async with online(alice):
            alice.say(bob.boundjid.full, "nothing is delivered twice")
            message = await bob.hear()
            assert message["body"] == "nothing is delivered twice", message


async def ping_discovery_and_version_are_answered(transport):
    async with online(Device("alice", "phone", transport)) as (alice,):
        await alice.plugin["xep_0199"].send_ping(DOMAIN)
        info = await alice.plugin["xep_0030"].get_info(DOMAIN)
        features = info["disco_info"]["features"]
        assert any(identity[:2] == ("server", "im") for identity in info["disco_info"]["identities"]), info
        for needed in ("http://jabber.org/protocol/disco#info", "jabber:iq:version", "urn:xmpp:ping"):
            assert needed in features, features
        version = await alice.plugin["xep_0092"].get_version(DOMAIN)
        assert version["software_version"]["name"], version


async def unknown_request_is_refused(transport):
    async with online(Device("alice", "phone", transport)) as (alice,):
        iq = alice.make_iq_get(queryxmlns="urn:example:no-such-thing", ito=DOMAIN)
        try:
            answer = await iq.send()
        except IqError as error:
            assert error.condition == "service-unavailable", error.condition
        else:
            raise AssertionError(answer)


TESTS = (
    login_is_verified_and_encrypted,
    wrong_password_is_refused,
    every_device_reaches_every_device,
    message_to_the_person_reaches_a_device,
    order_is_kept,
    missed_messages_come_with_their_time,
    ping_discovery_and_version_are_answered,
    unknown_request_is_refused,
)
