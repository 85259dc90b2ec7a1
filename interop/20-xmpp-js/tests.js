// @xmpp/client against the server.

import * as accounts from "./accounts.js";
import * as chat from "./chat.js";
import * as components from "./components.js";
import * as contacts from "./contacts.js";
import { judge } from "./judge.js";
import * as queries from "./queries.js";
import * as rooms from "./rooms.js";

await judge([chat, contacts, accounts, queries, components, rooms].flatMap((subject) => subject.TESTS));
