// Rooms (XEP-0045): made, talked in, managed and left, with their past, invitations and the end.

import assert from "node:assert/strict";
import { xml } from "@xmpp/client";
import { Device, DOMAIN, newAccount, newName, OTHER } from "./device.js";
import { online } from "./together.js";

const MUC = "http://jabber.org/protocol/muc";

// Goes to a room under a nickname, as far as the own presence; with what else is to be said there.
async function enter(device, room, nick, ...inside) {
  await device.show({ to: `${room}/${nick}` }, xml("x", { xmlns: MUC }, ...inside));
  return device.see(`${room}/${nick}`);
}

const userX = (stanza) => stanza.getChild("x", `${MUC}#user`);
const codesOf = (stanza) => userX(stanza).getChildren("status").map(({ attrs }) => attrs.code).sort();
const itemOf = (stanza) => userX(stanza).getChild("item").attrs;

function field(name, value) {
  return xml("field", { var: name }, xml("value", {}, value));
}

function configure(device, room, fields = {}) {
  const named = Object.entries(fields).map(([name, value]) => field(`muc#roomconfig_${name}`, value));
  const type = field("FORM_TYPE", `${MUC}#roomconfig`);
  const form = xml("x", { xmlns: "jabber:x:data", type: "submit" }, type, ...named);
  return device.change(xml("query", { xmlns: `${MUC}#owner` }, form), room);
}

function manage(device, room, attributes) {
  return device.change(xml("query", { xmlns: `${MUC}#admin` }, xml("item", attributes)), room);
}

async function sayToAll(device, room, body) {
  await device.xmpp.send(xml("message", { to: room, type: "groupchat" }, xml("body", {}, body)));
}

async function hears(device, from, body) {
  const message = await device.hear();
  assert.deepEqual([message.attrs.from, message.getChildText("body")], [from, body]);
  return message;
}

// Two people in a room of the first's.
async function roomOfTwo(transport, fields, body) {
  const alice = new Device(await newAccount("owner"), "phone", transport);
  const bob = new Device(await newAccount("guest"), "phone", OTHER[transport]);
  const room = `${newName("room")}@rooms.${DOMAIN}`;
  await online([alice, bob], async () => {
    const made = await enter(alice, room, "owner");
    assert.deepEqual(codesOf(made), ["110", "201"]);
    await configure(alice, room, fields);
    await enter(bob, room, "guest");
    await alice.see(`${room}/guest`);
    await body(alice, bob, room);
  });
}

async function peopleTalkInARoom(transport) {
  await roomOfTwo(transport, {}, async (alice, bob, room) => {
    await bob.see(`${room}/owner`);
    for (const [device, nick] of [[alice, "owner"], [bob, "guest"]]) {
      await sayToAll(device, room, `by ${nick} <&> \u{1f389}`);
      for (const listener of [alice, bob]) await hears(listener, `${room}/${nick}`, `by ${nick} <&> \u{1f389}`);
    }
    await bob.say(`${room}/owner`, "just for you");
    assert.equal((await hears(alice, `${room}/guest`, "just for you")).attrs.type, "chat");
    await bob.show({ to: `${room}/oldhag` });
    const gone = await alice.see(`${room}/guest`, "unavailable");
    assert.deepEqual([itemOf(gone).nick, codesOf(gone)], ["oldhag", ["303"]]);
    await alice.see(`${room}/oldhag`);
    await bob.show({ to: `${room}/oldhag`, type: "unavailable" }, xml("status", {}, "bye"));
    assert.equal((await alice.see(`${room}/oldhag`, "unavailable")).getChildText("status"), "bye");
  });
}

async function whoComesLateIsToldWhatWasSaid(transport) {
  await roomOfTwo(transport, {}, async (alice, bob, room) => {
    for (const body of ["one", "two", "three"]) {
      await sayToAll(alice, room, body);
      await hears(bob, `${room}/owner`, body);
    }
    const carol = new Device(await newAccount("late"), "phone", transport);
    await online([carol], async () => {
      await enter(carol, room, "late", xml("history", { maxstanzas: "2" }));
      for (const body of ["two", "three"]) {
        const message = await hears(carol, `${room}/owner`, body);
        assert.equal(message.getChild("delay", "urn:xmpp:delay").attrs.from, room);
      }
    });
  });
}

async function moderatorsManagePeople(transport) {
  await roomOfTwo(transport, { moderatedroom: "1" }, async (alice, bob, room) => {
    await manage(alice, room, { nick: "guest", role: "participant" });
    assert.equal(itemOf(await alice.see(`${room}/guest`)).role, "participant");
    await sayToAll(bob, room, "thanks");
    await hears(alice, `${room}/guest`, "thanks");
    await assert.rejects(
      manage(bob, room, { nick: "owner", role: "none" }),
      (error) => error.name === "StanzaError" && error.condition === "forbidden",
    );
    await manage(alice, room, { nick: "guest", role: "none" });
    assert.deepEqual(codesOf(await bob.see(`${room}/guest`, "unavailable")), ["110", "307"]);
    await manage(alice, room, { jid: bob.bare, affiliation: "outcast" });
    await bob.show({ to: `${room}/guest` }, xml("x", { xmlns: MUC }));
    const refused = await bob.see(`${room}/guest`, "error");
    assert.ok(refused.getChild("error").getChild("forbidden"), refused.toString());
  });
}

async function aRoomEndsAndSaysWhereToGo(transport) {
  await roomOfTwo(transport, { persistentroom: "1" }, async (alice, bob, room) => {
    const destroy = xml("destroy", { jid: `heath@rooms.${DOMAIN}` }, xml("reason", {}, "Macbeth doth come"));
    await alice.change(xml("query", { xmlns: `${MUC}#owner` }, destroy), room);
    const told = userX(await bob.see(`${room}/guest`, "unavailable")).getChild("destroy");
    assert.deepEqual([told.attrs.jid, told.getChildText("reason")], [`heath@rooms.${DOMAIN}`, "Macbeth doth come"]);
  });
}

export const TESTS = [
  peopleTalkInARoom,
  whoComesLateIsToldWhatWasSaid,
  moderatorsManagePeople,
  aRoomEndsAndSaysWhereToGo,
];
