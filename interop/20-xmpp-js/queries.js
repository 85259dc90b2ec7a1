// Requests to the server, to accounts and between devices.

import assert from "node:assert/strict";
import { xml } from "@xmpp/client";
import { Device, DOMAIN, newAccount, OTHER } from "./device.js";
import { befriend, online } from "./together.js";

const CARD = "vcard-temp";
const PRIVATE = "jabber:iq:private";
const disco = () => xml("query", { xmlns: "http://jabber.org/protocol/disco#info" });
const lastActivity = () => xml("query", { xmlns: "jabber:iq:last" });
const card = (...children) => xml("vCard", { xmlns: CARD }, ...children);
const notes = (...children) => xml("notes", { xmlns: "urn:example:notes" }, ...children);
const refusedWith = (condition) => (error) => error.name === "StanzaError" && error.condition === condition;

// Devices of two people; they become friends once they are online.
async function twoFriends(transport) {
  return [
    new Device(await newAccount("grace"), "phone", transport),
    new Device(await newAccount("heidi"), "phone", OTHER[transport]),
  ];
}

async function theServerTellsWhatItCan(transport) {
  await online([new Device("alice", "phone", transport)], async (alice) => {
    const info = await alice.request(disco());
    const features = info.getChildren("feature").map(({ attrs }) => attrs.var);
    const needed = ["http://jabber.org/protocol/disco#items", "jabber:iq:last", "jabber:iq:register", "urn:xmpp:time", CARD];
    for (const feature of needed) assert.ok(features.includes(feature), `${feature} is not among ${features.join()}`);
    // The stream's features name the node that tells the same (XEP-0115).
    const caps = alice.features.getChild("c", "http://jabber.org/protocol/caps");
    assert.equal(caps?.attrs.hash, "sha-1", alice.features.toString());
    const node = `${caps.attrs.node}#${caps.attrs.ver}`;
    const same = await alice.request(xml("query", { xmlns: "http://jabber.org/protocol/disco#info", node }));
    assert.equal(same.attrs.node, node);
    assert.deepEqual(same.getChildren("feature").map(({ attrs }) => attrs.var).sort(), features.sort());
  });
}

async function onlyContactsMayDiscoverAnAccount(transport) {
  await online(await twoFriends(transport), async (grace, heidi) => {
    await assert.rejects(grace.request(disco(), heidi.bare), refusedWith("service-unavailable"));
    await befriend(grace, heidi);
    for (const account of [heidi.bare, grace.bare]) {
      const { attrs } = (await grace.request(disco(), account)).getChild("identity");
      assert.equal(`${attrs.category}/${attrs.type}`, "account/registered");
    }
  });
}

async function devicesAskEachOther(transport) {
  await online(await twoFriends(transport), async (grace, heidi) => {
    const unknown = () => xml("query", { xmlns: "urn:example:no-such-thing" });
    // A stranger does not learn which devices there are.
    await assert.rejects(grace.ping(heidi.address), refusedWith("service-unavailable"));
    await heidi.show({ to: grace.bare });
    await grace.see(heidi.address);
    await grace.ping(heidi.address);
    await befriend(grace, heidi);
    await heidi.ping(grace.address);
    await assert.rejects(grace.request(unknown(), heidi.address), refusedWith("service-unavailable"));
    await assert.rejects(grace.request(unknown(), `${heidi.bare}/nowhere`), refusedWith("service-unavailable"));
  });
}

async function aVisitingCardIsKeptAndShown(transport) {
  await online(await twoFriends(transport), async (grace, heidi) => {
    await grace.change(card(xml("FN", {}, "Grace <H\u00f6pper>"), xml("N", {}, xml("FAMILY", {}, "H\u00f6pper"))));
    for (const device of [grace, heidi]) {
      const kept = await device.request(card(), grace.bare);
      assert.equal(kept.getChildText("FN"), "Grace <H\u00f6pper>");
      assert.equal(kept.getChild("N").getChildText("FAMILY"), "H\u00f6pper");
    }
    await assert.rejects(heidi.change(card(xml("FN", {}, "not me")), grace.bare));
    assert.equal((await grace.request(card(), grace.bare)).getChildText("FN"), "Grace <H\u00f6pper>");
  });
}

async function privateDataAreKeptForEveryDevice(transport) {
  const [grace, heidi] = await twoFriends(transport);
  const laptop = new Device(grace.user, "laptop", OTHER[transport]);
  await online([grace, laptop, heidi], async () => {
    await grace.change(xml("query", { xmlns: PRIVATE }, notes(xml("note", { id: "1" }, "buy <milk>"))));
    const kept = await laptop.request(xml("query", { xmlns: PRIVATE }, notes()), laptop.bare);
    assert.equal(kept.getChild("notes").getChildText("note"), "buy <milk>");
    const other = await heidi.request(xml("query", { xmlns: PRIVATE }, notes()), heidi.bare);
    assert.deepEqual(other.getChild("notes").children, []);
  });
}

async function lastActivityIsToldToContacts(transport) {
  const [grace, heidi] = await twoFriends(transport);
  await online([grace], async () => {
    const seconds = async (whom) => Number((await grace.request(lastActivity(), whom)).attrs.seconds);
    assert.ok((await seconds(DOMAIN)) >= 0);
    await online([heidi], async () => {
      await assert.rejects(grace.request(lastActivity(), heidi.bare), refusedWith("forbidden"));
      await befriend(grace, heidi);
      assert.equal(await seconds(heidi.bare), 0);
      await heidi.show({ type: "unavailable" }, xml("status", {}, "heading home"));
      await heidi.ping();
    });
    await grace.see(heidi.address, "unavailable");
    const left = await grace.request(lastActivity(), heidi.bare);
    assert.ok(Number(left.attrs.seconds) < 60, left.toString());
    assert.equal(left.text(), "heading home");
  });
}

async function theTimeIsTold(transport) {
  await online([new Device("alice", "phone", transport)], async (alice) => {
    const time = await alice.request(xml("time", { xmlns: "urn:xmpp:time" }));
    const off = Date.parse(time.getChildText("utc")) - Date.now();
    assert.ok(Math.abs(off) < 5000, time.toString());
    assert.match(time.getChildText("tzo"), /^(Z|[+-]\d\d:\d\d)$/);
  });
}

async function aDeviceLearnsItsOwnAddress(transport) {
  await online([new Device("alice", "phone", transport)], async (alice) => {
    const address = await alice.request(xml("address", { xmlns: "urn:xmpp:sic:1" }), alice.bare);
    assert.equal(address.getChildText("ip"), "127.0.0.1");
  });
}

export const TESTS = [
  theServerTellsWhatItCan,
  onlyContactsMayDiscoverAnAccount,
  devicesAskEachOther,
  aVisitingCardIsKeptAndShown,
  privateDataAreKeptForEveryDevice,
  lastActivityIsToldToContacts,
  theTimeIsTold,
  aDeviceLearnsItsOwnAddress,
];
