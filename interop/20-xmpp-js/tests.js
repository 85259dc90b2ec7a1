// @xmpp/client against the server.

import * as accounts from "./accounts.js";
import * as chat from "./chat.js";
import * as components from "./components.js";
import * as contacts from "./contacts.js";
import { TRANSPORTS } from "./device.js";
import { each, judge } from "./judge.js";
import * as queries from "./queries.js";
import * as rooms from "./rooms.js";

const subjects = [chat, contacts, accounts, queries, components, rooms];
await judge(each(subjects.flatMap((subject) => subject.TESTS), TRANSPORTS));
