// A person with @xmpp/client.

import { webcrypto } from "node:crypto";
import { once } from "node:events";
import { client, xml } from "@xmpp/client";
import WebSocket from "ws";
import { DOMAIN } from "./newcomers.js";
import { Person, UPLOADS } from "./person.js";

// The library expects what later releases of Node.js have by themselves.
globalThis.crypto ??= webcrypto;
globalThis.WebSocket = WebSocket;

const MAM = "urn:xmpp:mam:2";
const MUC = "http://jabber.org/protocol/muc";
const field = (name, value, type) => xml("field", { var: name, type }, xml("value", {}, value));

export class XmppJs extends Person {
  static title = "@xmpp/client";
  #archived = [];

  async enter() {
    this.xmpp = client({ service: this.url, domain: DOMAIN, username: this.user, password: this.password });
    this.xmpp.reconnect.stop();
    this.xmpp.on("error", () => {});
    this.xmpp.on("stanza", (stanza) => this.#take(stanza));
    await this.xmpp.start();
    await this.xmpp.send(xml("presence"));
    // Its answer proves that the presence has been handled.
    await this.xmpp.iqCaller.get(xml("ping", { xmlns: "urn:xmpp:ping" }), this.bare);
  }

  #take(stanza) {
    if (!stanza.is("message")) return;
    const result = stanza.getChild("result", MAM);
    if (result) this.#archived.push(result.getChild("forwarded", "urn:xmpp:forward:0").getChild("message"));
    else this.note({ from: stanza.attrs.from, body: stanza.getChildText("body") });
  }

  async leave() {
    await this.xmpp.stop();
  }

  async say(to, body, type = "chat") {
    await this.xmpp.send(xml("message", { to, type }, xml("body", {}, body)));
  }

  async join(room, nick) {
    const come = new Promise((resolve) => {
      this.xmpp.on("stanza", ({ name, attrs }) => {
        if (name === "presence" && attrs.from === `${room}/${nick}`) resolve();
      });
    });
    await this.xmpp.send(xml("presence", { to: `${room}/${nick}` }, xml("x", { xmlns: MUC })));
    await this.soon(come, `a place in ${room}`);
  }

  async open(room) {
    const defaults = xml("x", { xmlns: "jabber:x:data", type: "submit" });
    await this.xmpp.iqCaller.set(xml("query", { xmlns: `${MUC}#owner` }, defaults), room);
  }

  async history(other) {
    this.#archived = [];
    const form = xml("x", { xmlns: "jabber:x:data", type: "submit" }, field("FORM_TYPE", MAM, "hidden"), field("with", other));
    await this.xmpp.iqCaller.set(xml("query", { xmlns: MAM }, form), this.bare);
    return this.#archived.map((message) => message.getChildText("body"));
  }

  async slot(filename, size, type) {
    const wanted = { xmlns: "urn:xmpp:http:upload:0", filename, size, "content-type": type };
    const answer = await this.xmpp.iqCaller.request(xml("iq", { type: "get", to: UPLOADS }, xml("request", wanted)));
    const slot = answer.getChild("slot");
    const put = slot.getChild("put");
    const fields = put.getChildren("header").map((header) => [header.attrs.name, header.getText()]);
    return { put: put.attrs.url, get: slot.getChild("get").attrs.url, fields: Object.fromEntries(fields) };
  }

  async breakDown() {
    const gone = once(this.xmpp, "disconnect");
    this.xmpp.socket.socket.terminate();
    await this.soon(gone, "the end of the connection");
  }

  // Connects again; answers whether the stream was resumed.
  async comeBack() {
    const { streamManagement, reconnect } = this.xmpp;
    const resumed = once(streamManagement, "resumed").then(() => true);
    const begun = once(this.xmpp, "online").then(() => false);
    const [outcome] = await this.soon(Promise.all([Promise.race([resumed, begun]), reconnect.reconnect()]), "the way back");
    return outcome;
  }
}
