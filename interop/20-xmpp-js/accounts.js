// In-band registration, change of the password and removal of the account (XEP-0077).

import assert from "node:assert/strict";
import { xml } from "@xmpp/client";
import { Device, DOMAIN, newAccount, newName, OTHER } from "./device.js";
import { befriend, online, withSubscription } from "./together.js";

const PASSWORD = "secret";
// What servers want of a new password.
const STRONG = "Correct Horse 7";
const registration = (...children) => xml("query", { xmlns: "jabber:iq:register" }, ...children);
const account = (user, password) => registration(xml("username", {}, user), xml("password", {}, password));

// A device that makes its account before it logs in.
function newcomer(user, transport, password = STRONG) {
  const device = new Device(user, "phone", transport, password, async (logIn) => {
    device.form = await device.request(registration());
    await device.change(account(user, password), DOMAIN);
    await logIn();
  });
  return device;
}

async function loginFails(user, transport, password) {
  const device = new Device(user, "phone", transport, password);
  await assert.rejects(device.logIn(), (error) => error.name === "SASLError" && error.condition === "not-authorized");
  await device.goOffline();
}

async function anAccountIsMadeBeforeTheLogin(transport) {
  const user = newName("erin");
  await online([newcomer(user, transport)], async (erin) => {
    assert.ok(erin.form.getChild("username") && erin.form.getChild("password"), erin.form.toString());
    assert.equal(erin.bound, `${user}@${DOMAIN}/phone`);
    assert.ok((await erin.request(registration())).getChild("registered"));
  });
  const devices = [new Device(user, "laptop", OTHER[transport], STRONG), new Device("alice", "phone", transport)];
  await online(devices, async (erin, alice) => {
    await alice.say(erin.bare, "welcome");
    assert.equal((await erin.hear()).getChildText("body"), "welcome");
  });
}

async function aNameIsGivenOnce(transport) {
  const user = await newAccount("erin");
  const other = newcomer(user, transport);
  await assert.rejects(other.logIn(), (error) => error.name === "StanzaError" && error.condition === "conflict");
  await other.goOffline();
  await loginFails(user, transport, STRONG);
}

async function aChangedPasswordIsTheOnlyOne(transport) {
  const user = await newAccount("erin");
  await online([new Device(user, "phone", transport)], async (erin) => {
    await erin.change(account(user, STRONG), DOMAIN);
  });
  await loginFails(user, transport, PASSWORD);
  await online([new Device(user, "phone", transport, STRONG)], async () => {});
}

async function aRemovedAccountIsGoneForItsContactsToo(transport) {
  const user = await newAccount("erin");
  const friend = new Device(await newAccount("frank"), "phone", OTHER[transport]);
  await online([friend], async () => {
    await online([new Device(user, "phone", transport)], async (erin) => {
      await befriend(erin, friend);
      // Without an address, as the specification asks for.
      await erin.xmpp.iqCaller.request(xml("iq", { type: "set" }, registration(xml("remove"))));
    });
    await friend.see(`${user}@${DOMAIN}/phone`, "unavailable");
    await friend.contact(`${user}@${DOMAIN}`, withSubscription("none"));
    await loginFails(user, transport, PASSWORD);
    await online([newcomer(user, transport)], async (another) => assert.equal(another.contacts.size, 0));
  });
}

export const TESTS = [
  anAccountIsMadeBeforeTheLogin,
  aNameIsGivenOnce,
  aChangedPasswordIsTheOnlyOne,
  aRemovedAccountIsGoneForItsContactsToo,
];
