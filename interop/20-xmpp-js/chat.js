// Streams and messages between people with several devices.

import assert from "node:assert/strict";
import { xml } from "@xmpp/client";
import { Device, DOMAIN, OTHER } from "./device.js";
import { online } from "./together.js";

async function loginIsVerifiedAndEncrypted(transport) {
  const alice = new Device("alice", "phone", transport);
  await online([alice], async () => {
    assert.equal(alice.bound, `alice@${DOMAIN}/phone`);
    const socket = alice.xmpp.socket.socket ?? alice.xmpp.socket;
    assert.equal(socket.authorized, true);
    assert.match(socket.getPeerCertificate().subjectaltname, /DNS:localhost/);
  });
}

async function wrongPasswordIsRefused(transport) {
  const alice = new Device("alice", "phone", transport, "wrong");
  await assert.rejects(alice.logIn(), (error) => error.name === "SASLError" && error.condition === "not-authorized");
  await alice.goOffline();
}

async function everyDeviceReachesEveryDevice(transport) {
  const alices = [new Device("alice", "phone", transport), new Device("alice", "laptop", OTHER[transport])];
  const bobs = [new Device("bob", "phone", transport), new Device("bob", "laptop", OTHER[transport])];
  const exchange = async (sender, recipient) => {
    const body = `from ${sender.address} to ${recipient.address} <&> \u00e9\u{1f389}`;
    await sender.say(recipient.address, body);
    const message = await recipient.hear();
    assert.equal(message.getChildText("body"), body);
    assert.equal(message.attrs.from, sender.address);
    assert.equal(message.attrs.type, "chat");
  };
  await online([...alices, ...bobs], async () => {
    for (const alice of alices) {
      for (const bob of bobs) {
        await exchange(alice, bob);
        await exchange(bob, alice);
      }
    }
  });
}

async function messageToThePersonReachesADevice(transport) {
  const devices = [
    new Device("alice", "phone", transport),
    new Device("bob", "phone", transport),
    new Device("bob", "laptop", OTHER[transport]),
  ];
  await online(devices, async (alice, phone, laptop) => {
    await alice.say(`bob@${DOMAIN}`, "to whichever device you look at");
    const listening = [phone.hear(), laptop.hear()];
    listening.forEach((promise) => promise.catch(() => {}));
    const message = await Promise.race(listening);
    assert.equal(message.getChildText("body"), "to whichever device you look at");
  });
}

async function orderIsKept(transport) {
  const devices = [new Device("alice", "phone", transport), new Device("bob", "phone", transport)];
  await online(devices, async (alice, bob) => {
    const bodies = Array.from({ length: 100 }, (_, number) => `number ${number}`);
    for (const body of bodies) alice.say(bob.address, body);
    const heard = [];
    while (heard.length < bodies.length) heard.push((await bob.hear()).getChildText("body"));
    assert.deepEqual(heard, bodies);
  });
}

async function missedMessagesComeWithTheirTime(transport) {
  await online([new Device("bob", "phone", transport)], async () => {});
  const began = Date.now();
  const bodies = [0, 1, 2, 3, 4].map((number) => `while you were away, ${number}`);
  await online([new Device("alice", "phone", transport)], async (alice) => {
    for (const body of bodies) await alice.say(`bob@${DOMAIN}`, body);
    await alice.ping();
  });
  await online([new Device("bob", "laptop", OTHER[transport])], async (bob) => {
    for (const body of bodies) {
      const message = await bob.hear();
      assert.equal(message.getChildText("body"), body);
      const delay = message.getChild("delay", "urn:xmpp:delay");
      assert.ok(delay, message.toString());
      const stamp = Date.parse(delay.attrs.stamp);
      assert.ok(began - 2000 < stamp && stamp < Date.now() + 2000, `${delay.attrs.stamp} is not the time of sending`);
    }
  });
  const devices = [new Device("bob", "laptop", transport), new Device("alice", "phone", transport)];
  await online(devices, async (bob, alice) => {
    await alice.say(bob.address, "nothing is delivered twice");
    assert.equal((await bob.hear()).getChildText("body"), "nothing is delivered twice");
  });
}

async function pingDiscoveryAndVersionAreAnswered(transport) {
  await online([new Device("alice", "phone", transport)], async (alice) => {
    await alice.ping(DOMAIN);
    const info = await alice.request(xml("query", { xmlns: "http://jabber.org/protocol/disco#info" }));
    const identity = info.getChildren("identity").map(({ attrs }) => `${attrs.category}/${attrs.type}`);
    assert.ok(identity.includes("server/im"), identity.join());
    const features = info.getChildren("feature").map(({ attrs }) => attrs.var);
    for (const needed of ["http://jabber.org/protocol/disco#info", "jabber:iq:version", "urn:xmpp:ping"]) {
      assert.ok(features.includes(needed), `${needed} is not among ${features.join()}`);
    }
    const version = await alice.request(xml("query", { xmlns: "jabber:iq:version" }));
    assert.ok(version.getChildText("name"));
  });
}

async function unknownRequestIsRefused(transport) {
  await online([new Device("alice", "phone", transport)], async (alice) => {
    const request = alice.request(xml("query", { xmlns: "urn:example:no-such-thing" }));
    await assert.rejects(request, (error) => error.condition === "service-unavailable");
  });
}

export const TESTS = [
  loginIsVerifiedAndEncrypted,
  wrongPasswordIsRefused,
  everyDeviceReachesEveryDevice,
  messageToThePersonReachesADevice,
  orderIsKept,
  missedMessagesComeWithTheirTime,
  pingDiscoveryAndVersionAreAnswered,
  unknownRequestIsRefused,
];
