// Where the libraries connect to: which kind of connection, over which way, and the library.

import assert from "node:assert/strict";
import { Stanza } from "./stanza.js";
import { Strophe } from "./strophe.js";
import { XmppJs } from "./xmpp-js.js";

const DIRECT = `https://localhost:${process.env.XMPP_HTTPS_PORT}`;
const PROXY = `https://localhost:${process.env.PROXY_PORT}`;
const LIBRARIES = { WebSocket: [XmppJs, Stanza, Strophe], BOSH: [Stanza, Strophe] };
const RELATIONS = {
  "urn:xmpp:alt-connections:websocket": "WebSocket",
  "urn:xmpp:alt-connections:xbosh": "BOSH",
};

// What is told of the domain: the address for each kind of connection. The proxy has to be there.
export async function discovered() {
  const answer = await fetch(`${PROXY}/.well-known/host-meta.json`);
  assert.equal(answer.status, 200);
  const { links } = await answer.json();
  return Object.fromEntries(links.map(({ rel, href }) => [RELATIONS[rel], href]));
}

function kinds(addresses, way) {
  return Object.entries(LIBRARIES).flatMap(([transport, libraries]) =>
    libraries.map((Library) => ({
      Library,
      transport,
      url: addresses[transport],
      toString: () => `${transport} ${way} with ${Library.title}`,
    })),
  );
}

// Straight to the server.
export const DIRECTLY = kinds(
  { WebSocket: `${DIRECT.replace("https", "wss")}/xmpp-websocket`, BOSH: `${DIRECT}/http-bind` },
  "with TLS",
);

// Through the proxy, to where clients that look the domain up are sent.
export const throughProxy = async () => kinds(await discovered(), "behind nginx");
