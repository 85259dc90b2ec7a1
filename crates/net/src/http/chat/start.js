// Starts Converse.js with what the server has written into the page. Streams go back to where the page has come from.

import "./converse.min.js";

const page = document.querySelector("meta[name=settings]");
const settings = JSON.parse(page.content);
const address = (path) => new URL(path, location.origin);
const socket = address("/xmpp-websocket");
socket.protocol = socket.protocol === "https:" ? "wss:" : "ws:";
settings.bosh_service_url = address("/http-bind").href;
// For networks that let no WebSocket through: the address of this page with `?bosh` behind it.
if (!new URLSearchParams(location.search).has("bosh")) settings.websocket_url = socket.href;
// Its own footer shows pictures of its sponsors' sites to everybody who comes; nobody else is to learn of that.
customElements.define("converse-footer", class extends HTMLElement {});
settings.assets_path = new URL(".", import.meta.url).pathname;
await window.converse.initialize(settings);
