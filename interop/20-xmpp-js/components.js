// A component made with @xmpp/component (XEP-0114).

import assert from "node:assert/strict";
import { once } from "node:events";
import { component, xml } from "@xmpp/component";
import { Device, DOMAIN } from "./device.js";
import { online } from "./together.js";

const ADDRESS = `xmppjs.${DOMAIN}`;
const SECRET = "component-secret";

function make(password = SECRET) {
  const service = `xmpp://${process.env.XMPP_HOST}:${process.env.XMPP_COMPONENT_PORT}`;
  const made = component({ service, domain: ADDRESS, password });
  // A test that loses its connection is to fail, not to try again.
  made.reconnect.stop();
  made.on("error", (error) => {
    made.lastError = error;
  });
  made.iqCallee.get("urn:xmpp:ping", "ping", () => true);
  return made;
}

// Runs `body` with the component connected.
async function connected(body) {
  const made = make();
  await made.start();
  try {
    await body(made);
  } finally {
    await made.stop();
  }
}

async function nextMessage(made) {
  for (;;) {
    const [stanza] = await once(made, "stanza");
    if (stanza.is("message")) return stanza;
  }
}

async function peopleAndAComponentWriteToEachOther(transport) {
  await connected(async (made) => {
    const alice = new Device("alice", "phone", transport);
    await online([alice], async () => {
      const coming = nextMessage(made);
      await alice.say(`bob%irc@${ADDRESS}`, "to the gateway <&> \u00e9");
      const heard = await coming;
      assert.equal(heard.getChildText("body"), "to the gateway <&> \u00e9");
      assert.equal(heard.attrs.from, alice.address);
      const from = `bob%irc@${ADDRESS}/irc`;
      await made.send(xml("message", { from, to: alice.bare, type: "chat" }, xml("body", {}, "and back")));
      const answer = await alice.hear();
      assert.equal(answer.getChildText("body"), "and back");
      assert.equal(answer.attrs.from, from);
    });
  });
}

async function requestsGoBothWays(transport) {
  await connected(async (made) => {
    const query = xml("query", "http://jabber.org/protocol/disco#info");
    const answer = await made.iqCaller.request(xml("iq", { type: "get", from: ADDRESS, to: DOMAIN }, query));
    assert.equal(answer.getChild("query").getChild("identity").attrs.category, "server");
    const alice = new Device("alice", "phone", transport);
    await online([alice], async () => {
      const pong = await alice.xmpp.iqCaller.request(xml("iq", { type: "get", to: ADDRESS }, xml("ping", "urn:xmpp:ping")));
      assert.equal(pong.attrs.type, "result");
    });
  });
}

async function whatComesWhileItIsAwayWaits(transport) {
  const alice = new Device("alice", "phone", transport);
  await online([alice], async () => {
    for (let n = 0; n < 20; n += 1) await alice.say(`x@${ADDRESS}`, `number ${n}`);
    await alice.xmpp.iqCaller.request(xml("iq", { type: "get", to: DOMAIN }, xml("ping", "urn:xmpp:ping")));
    const made = make();
    const heard = [];
    const all = new Promise((resolve) => {
      made.on("stanza", (stanza) => {
        if (stanza.is("message")) heard.push(stanza.getChildText("body"));
        if (heard.length === 20) resolve();
      });
    });
    await made.start();
    await all;
    await made.stop();
    assert.deepEqual(heard, Array.from({ length: 20 }, (_, n) => `number ${n}`));
  });
}

async function aWrongSecretDoesNotGetIn() {
  const made = make("another");
  await assert.rejects(made.start(), (error) => error.condition === "not-authorized");
}

export const TESTS = [
  peopleAndAComponentWriteToEachOther,
  requestsGoBothWays,
  whatComesWhileItIsAwayWaits,
  aWrongSecretDoesNotGetIn,
];
