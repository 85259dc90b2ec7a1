// Rosters, subscriptions and presence (RFC 6121 sections 2 to 4).

import assert from "node:assert/strict";
import { xml } from "@xmpp/client";
import { Device, newAccount, OTHER } from "./device.js";
import { befriend, online, withSubscription } from "./together.js";

const isGone = (item) => item === undefined;
const groupsOf = (item) => item.getChildren("group").map((group) => group.text()).sort();

// Devices of two people who do not know each other.
async function twoPeople(transport) {
  return [
    new Device(await newAccount("carol"), "phone", transport),
    new Device(await newAccount("dave"), "phone", OTHER[transport]),
  ];
}

async function peopleSubscribeToEachOther(transport) {
  await online(await twoPeople(transport), async (carol, dave) => {
    await carol.show({ to: dave.bare, type: "subscribe" });
    await carol.contact(dave.bare, (item) => withSubscription("none")(item) && item.attrs.ask === "subscribe");
    await dave.see(carol.bare, "subscribe");
    assert.equal(dave.contacts.size, 0);
    await dave.show({ to: carol.bare, type: "subscribed" });
    await carol.see(dave.bare, "subscribed");
    await carol.see(dave.address);
    const item = await carol.contact(dave.bare, withSubscription("to"));
    assert.equal(item.attrs.ask, undefined);
    await dave.contact(carol.bare, withSubscription("from"));
    await dave.show({ to: carol.bare, type: "subscribe" });
    await carol.see(dave.bare, "subscribe");
    await carol.show({ to: dave.bare, type: "subscribed" });
    await dave.see(carol.bare, "subscribed");
    await dave.see(carol.address);
    await carol.contact(dave.bare, withSubscription("both"));
    await dave.contact(carol.bare, withSubscription("both"));
  });
}

async function friendsSeeEachOtherComeAndGo(transport) {
  const [carol, dave] = await twoPeople(transport);
  await online([carol], async () => {
    await online([dave], async () => {
      await befriend(carol, dave);
      carol.seen();
      await dave.show({}, xml("show", {}, "away"), xml("status", {}, "at lunch"), xml("priority", {}, "5"));
      const away = await carol.see(dave.address);
      assert.deepEqual(
        ["show", "status", "priority"].map((name) => away.getChildText(name)),
        ["away", "at lunch", "5"],
      );
      await dave.show({ type: "unavailable" }, xml("status", {}, "heading home"));
      assert.equal((await carol.see(dave.address, "unavailable")).getChildText("status"), "heading home");
    });
    const back = new Device(dave.user, "laptop", transport);
    await online([back], async () => {
      await carol.see(back.address);
      await back.see(carol.address);
      assert.equal(back.contacts.get(carol.bare)?.attrs.subscription, "both");
    });
    await carol.see(back.address, "unavailable");
  });
}

async function aRequestWaitsForWhoIsAway(transport) {
  const [carol, dave] = await twoPeople(transport);
  await online([carol], async () => {
    await carol.show({ to: dave.bare, type: "subscribe" });
    await carol.contact(dave.bare, withSubscription("none"));
    await online([dave], async () => {
      await dave.see(carol.bare, "subscribe");
      await dave.show({ to: carol.bare, type: "unsubscribed" });
      await carol.see(dave.bare, "unsubscribed");
      await carol.contact(dave.bare, (item) => withSubscription("none")(item) && item.attrs.ask === undefined);
      const shown = carol.seen().filter(({ attrs }) => attrs.type === undefined && attrs.from.startsWith(dave.bare));
      assert.equal(shown.length, 0, shown.join());
    });
  });
}

async function namesAndGroupsReachEveryDevice(transport) {
  const [carol, dave] = await twoPeople(transport);
  const laptop = new Device(carol.user, "laptop", OTHER[transport]);
  const devices = [carol, laptop];
  await online(devices, async () => {
    await carol.changeContact({ jid: dave.bare, name: "D\u00e4ve & Co" }, "Friends", "<Work>");
    for (const device of devices) {
      const item = await device.contact(dave.bare, (item) => item?.attrs.name === "D\u00e4ve & Co");
      assert.deepEqual(groupsOf(item), ["<Work>", "Friends"]);
      assert.equal(item.attrs.subscription, "none");
    }
    await laptop.changeContact({ jid: dave.bare, name: "Dave" }, "Friends");
    for (const device of devices) {
      const item = await device.contact(dave.bare, (item) => item?.attrs.name === "Dave");
      assert.deepEqual(groupsOf(item), ["Friends"]);
    }
    await carol.changeContact({ jid: dave.bare, subscription: "remove" });
    for (const device of devices) await device.contact(dave.bare, isGone);
  });
}

async function removingAContactEndsBothSubscriptions(transport) {
  await online(await twoPeople(transport), async (carol, dave) => {
    await befriend(carol, dave);
    await carol.changeContact({ jid: dave.bare, subscription: "remove" });
    await carol.contact(dave.bare, isGone);
    await dave.contact(carol.bare, withSubscription("none"));
    await dave.see(carol.address, "unavailable");
  });
}

async function anUnchangedRosterIsNotSentAgain(transport) {
  const [carol, dave] = await twoPeople(transport);
  await online([carol], async () => {
    assert.ok(carol.features.getChild("ver", "urn:xmpp:features:rosterver"), carol.features.toString());
    await carol.changeContact({ jid: dave.bare, name: "Dave" });
    await carol.contact(dave.bare, (item) => item?.attrs.name === "Dave");
    assert.ok(carol.version, "a roster push tells the new version");
    assert.equal(await carol.fetchRoster(carol.version), undefined);
  });
  await online([new Device(carol.user, "laptop", OTHER[transport])], async (laptop) => {
    assert.equal(await laptop.fetchRoster(carol.version), undefined);
    await laptop.changeContact({ jid: dave.bare, name: "David" });
    await laptop.contact(dave.bare, (item) => item?.attrs.name === "David");
  });
  await online([new Device(carol.user, "phone", transport)], async (phone) => {
    await phone.fetchRoster(carol.version);
    // As the whole roster or as a push.
    await phone.contact(dave.bare, (item) => item?.attrs.name === "David");
  });
}

async function presenceSentToOnePersonIsTakenBackAtLogout(transport) {
  const [carol, dave] = await twoPeople(transport);
  await online([dave], async () => {
    await online([carol], async () => {
      await carol.show({ to: dave.address }, xml("status", {}, "just for you"));
      assert.equal((await dave.see(carol.address)).getChildText("status"), "just for you");
      assert.equal(dave.contacts.size, 0);
    });
    await dave.see(carol.address, "unavailable");
  });
}

async function theDevicesOfOnePersonSeeEachOther(transport) {
  const [phone] = await twoPeople(transport);
  const laptop = new Device(phone.user, "laptop", OTHER[transport]);
  await online([phone], async () => {
    await online([laptop], async () => {
      await phone.see(laptop.address);
      await laptop.see(phone.address);
    });
    await phone.see(laptop.address, "unavailable");
  });
}

export const TESTS = [
  peopleSubscribeToEachOther,
  friendsSeeEachOtherComeAndGo,
  aRequestWaitsForWhoIsAway,
  namesAndGroupsReachEveryDevice,
  removingAContactEndsBothSubscriptions,
  anUnchangedRosterIsNotSentAgain,
  presenceSentToOnePersonIsTakenBackAtLogout,
  theDevicesOfOnePersonSeeEachOther,
];
