// One device of one person: an @xmpp/client session whose messages can be awaited.
// Used by tests.js; node verifies the server's certificate against the CA that the `start` script names.

import { client, xml } from "@xmpp/client";

// Everything here answers within milliseconds; this bound only ends a test that would hang.
const PATIENCE_MS = 30_000;
export const DOMAIN = "localhost";
export const STARTTLS = "STARTTLS";
export const DIRECT_TLS = "direct TLS";

const SERVICES = {
  [STARTTLS]: `xmpp://${DOMAIN}:${process.env.XMPP_PORT}`,
  [DIRECT_TLS]: `xmpps://${DOMAIN}:${process.env.XMPP_TLS_PORT}`,
};

function withPatience(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} took too long`)), PATIENCE_MS);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

export class Device {
  #inbox = [];
  #listeners = [];

  constructor(user, resource, transport, password = "secret") {
    this.address = `${user}@${DOMAIN}/${resource}`;
    this.xmpp = client({ service: SERVICES[transport], domain: DOMAIN, resource, username: user, password });
    // A test that loses its connection is to fail, not to try again.
    this.xmpp.reconnect.stop();
    this.error = undefined;
    this.xmpp.on("error", (error) => {
      this.error = error;
    });
    this.xmpp.on("stanza", (stanza) => {
      if (stanza.is("message") && stanza.getChildText("body") !== null) this.#keep(stanza);
    });
  }

  #keep(message) {
    const listener = this.#listeners.shift();
    if (listener) listener(message);
    else this.#inbox.push(message);
  }

  // Connects and authenticates, without presence: nothing is delivered to this device yet.
  async logIn() {
    const address = await withPatience(this.xmpp.start(), `login of ${this.address}`);
    this.bound = address.toString();
    return this;
  }

  // Logs in and sends presence. The answered ping proves that the server has handled the presence.
  async comeOnline() {
    await this.logIn();
    await this.xmpp.send(xml("presence"));
    await this.ping();
    return this;
  }

  // Closes the stream in order.
  async goOffline() {
    await withPatience(this.xmpp.stop(), `closing ${this.address}`);
  }

  async say(to, body) {
    await this.xmpp.send(xml("message", { to, type: "chat" }, xml("body", {}, body)));
  }

  // The next message that has a body.
  hear() {
    const waiting = this.#inbox.shift();
    if (waiting) return Promise.resolve(waiting);
    return withPatience(new Promise((resolve) => this.#listeners.push(resolve)), `a message for ${this.address}`);
  }

  // The answer's child; an error answer is thrown as StanzaError.
  request(payload, to = DOMAIN) {
    return this.xmpp.iqCaller.get(payload, to, PATIENCE_MS);
  }

  // Returns once the server has answered a request sent after everything else.
  async ping() {
    await this.xmpp.iqCaller.request(
      xml("iq", { type: "get", to: DOMAIN }, xml("ping", { xmlns: "urn:xmpp:ping" })),
      PATIENCE_MS,
    );
  }
}
