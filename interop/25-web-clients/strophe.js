// A person with strophe.js.

import { Strophe as library, stx } from "strophe.js";
import { PATIENCE_MS } from "./newcomers.js";
import { Person, UPLOADS } from "./person.js";
import { Request } from "./request.js";

// For BOSH the library needs what browsers have for requests.
globalThis.XMLHttpRequest = Request;
library.setLogLevel(library.LogLevel.FATAL);

const { Status } = library;
const MAM = "urn:xmpp:mam:2";
const MUC = "http://jabber.org/protocol/muc";
const bodyOf = (message) => message.getElementsByTagName("body")[0]?.textContent;

export class Strophe extends Person {
  static title = "strophe.js";
  #archived = [];
  #status = () => {};

  async enter() {
    this.connection = new library.Connection(this.url, { enableStreamManagement: this.transport === "WebSocket" });
    await this.#connect();
    this.connection.send(stx`<presence xmlns="jabber:client"/>`);
    await this.#ask(stx`<iq type="get" to="${this.bare}" xmlns="jabber:client"><ping xmlns="urn:xmpp:ping"/></iq>`);
  }

  // Resolves once the stream is there, new or resumed.
  #connect() {
    const come = this.#awaits(Status.CONNECTED);
    this.connection.connect(this.bare, this.password, (status) => {
      // Handlers end with each connection.
      if (status === Status.CONNECTED) this.connection.addHandler((message) => this.#take(message), null, "message");
      this.#status(status);
    });
    return come;
  }

  #awaits(wanted) {
    return new Promise((resolve, reject) => {
      this.#status = (status) => {
        if (status === wanted) resolve();
        if (status === Status.AUTHFAIL) reject(new Error("not-authorized"));
      };
    });
  }

  #take(message) {
    if (message.getElementsByTagNameNS(MAM, "result").length > 0) this.#archived.push(bodyOf(message));
    else this.note({ from: message.getAttribute("from"), body: bodyOf(message) });
    return true;
  }

  #ask(request) {
    return new Promise((resolve, reject) => this.connection.sendIQ(request, resolve, reject, PATIENCE_MS));
  }

  async leave() {
    const gone = this.#awaits(Status.DISCONNECTED);
    this.connection.disconnect();
    await this.soon(gone, "the end");
  }

  async say(to, body, type = "chat") {
    this.connection.send(stx`<message to="${to}" type="${type}" xmlns="jabber:client"><body>${body}</body></message>`);
  }

  async join(room, nick) {
    const address = `${room}/${nick}`;
    const come = new Promise((resolve) => {
      this.connection.addHandler(() => void resolve(), null, "presence", null, null, address);
    });
    this.connection.send(stx`<presence to="${address}" xmlns="jabber:client"><x xmlns="${MUC}"/></presence>`);
    await this.soon(come, `a place in ${room}`);
  }

  async open(room) {
    await this.#ask(stx`<iq type="set" to="${room}" xmlns="jabber:client">
        <query xmlns="${MUC}#owner"><x xmlns="jabber:x:data" type="submit"/></query>
      </iq>`);
  }

  async history(other) {
    this.#archived = [];
    await this.#ask(stx`<iq type="set" to="${this.bare}" xmlns="jabber:client">
        <query xmlns="${MAM}">
          <x xmlns="jabber:x:data" type="submit">
            <field var="FORM_TYPE" type="hidden"><value>${MAM}</value></field>
            <field var="with"><value>${other}</value></field>
          </x>
        </query>
      </iq>`);
    return this.#archived;
  }

  async slot(name, size, type) {
    const answer = await this.#ask(stx`<iq type="get" to="${UPLOADS}" xmlns="jabber:client">
        <request xmlns="urn:xmpp:http:upload:0" filename="${name}" size="${size}" content-type="${type}"/>
      </iq>`);
    const url = (of) => answer.getElementsByTagName(of)[0].getAttribute("url");
    const headers = Array.from(answer.getElementsByTagName("header"));
    const fields = headers.map((header) => [header.getAttribute("name"), header.textContent]);
    return { put: url("put"), get: url("get"), fields: Object.fromEntries(fields) };
  }

  async breakDown() {
    const gone = this.#awaits(Status.DISCONNECTED);
    this.connection._proto.socket.terminate();
    await this.soon(gone, "the end of the connection");
  }

  // Connects again; answers whether the stream was resumed.
  async comeBack() {
    await this.soon(this.#connect(), "the way back");
    return this.connection.hasResumed();
  }
}
