// @xmpp/client against the server's SASL2: logins, tokens, and connections that break.

import assert from "node:assert/strict";
import { xml } from "@xmpp/client";
import { DOMAIN, OTHER, TRANSPORTS } from "./device.js";
import { each, judge } from "./judge.js";
import { newPhone, PASSWORDS, Phone, TOKENS } from "./phone.js";
import { befriend, online } from "./together.js";

const NEW_PASSWORD = "Correct Horse 7";
const COUNT = 20;

const registration = (...children) => xml("query", { xmlns: "jabber:iq:register" }, ...children);
const bodies = (from) => Array.from({ length: COUNT }, (_, number) => `${from} ${number}`);
const refusedWith = (condition) => (error) => error.name === "SASLError" && error.condition === condition;

async function hearAll(device, expected) {
  const heard = [];
  while (heard.length < expected.length) heard.push((await device.hear()).getChildText("body"));
  assert.deepEqual(heard, expected);
}

async function resourceStreamManagementAndATokenComeWithTheLogin(transport) {
  const alice = await newPhone("alice", transport);
  await online([alice], async () => {
    assert.ok(alice.bound.startsWith(`${alice.bare}/phone`), alice.bound);
    assert.deepEqual(alice.logins, [PASSWORDS]);
    assert.ok(alice.stream, "the stream is managed");
    assert.equal(alice.token.mechanism, TOKENS);
    assert.ok(Date.parse(alice.token.expiry) > Date.now(), alice.token.expiry);
    await alice.say(alice.bound, "to myself");
    assert.equal((await alice.hear()).getChildText("body"), "to myself");
  });
}

async function aWrongPasswordIsRefused(transport) {
  const { user } = await newPhone("alice", transport);
  const stranger = new Phone(user, transport, { password: "wrong" });
  await assert.rejects(stranger.logIn(), refusedWith("not-authorized"));
  assert.equal(stranger.token, undefined);
  await stranger.goOffline();
}

async function aTokenLogsInInOneRoundTrip(transport) {
  const before = await newPhone("alice", transport);
  await online([before], async () => {});
  const alice = new Phone(before.user, OTHER[transport], { password: "forgotten", before });
  for (let time = 1; time <= 3; time += 1) {
    await online([alice], async () => {
      assert.deepEqual(alice.logins, Array(time).fill(TOKENS));
      assert.equal(alice.answers, time, "each is answered by its success");
      assert.equal(alice.bound, before.bound, "the same client has the same address");
    });
  }
}

async function aBrokenConnectionIsResumedWithNothingLostOrDoubled(transport) {
  const [alice, bob] = [await newPhone("alice", transport), await newPhone("bob", OTHER[transport])];
  // The library does not count what it answers to requests right behind `<resumed/>`, so roster pushes are not to be among what
  // is sent again: friendship is of an earlier session.
  await online([alice, bob], () => befriend(alice, bob));
  await online([alice, bob], async () => {
    const { stream, bound } = alice;
    await bob.see(bound);
    await bob.ping();
    bob.seen();
    for (let time = 1; time <= 3; time += 1) {
      const [said, missed] = [bodies(`said ${time}`), bodies(`missed ${time}`)];
      // What was on its way as the connection broke is sent again, if the server has not had it.
      for (const [at, body] of said.entries()) {
        if (at === COUNT / 2) alice.loseVoice();
        await alice.say(bob.bare, body);
      }
      await alice.breakDown();
      for (const body of missed) await bob.say(alice.bare, body);
      await bob.ping();
      assert.equal(await alice.comeBack(), true, "resumed");
      assert.deepEqual([alice.stream, alice.xmpp.jid.toString()], [stream, bound]);
      assert.equal(alice.logins.at(-1), TOKENS);
      await hearAll(alice, missed);
      await hearAll(bob, said);
    }
    assert.equal(alice.logins.length, 5);
    await bob.ping();
    assert.deepEqual(bob.seen().map(String), [], "nobody saw that it was away");
    await alice.say(bob.bare, "nothing more was waiting");
    assert.equal((await bob.hear()).getChildText("body"), "nothing more was waiting");
    await bob.say(alice.bare, "nor here");
    assert.equal((await alice.hear()).getChildText("body"), "nor here");
  });
}

async function anotherTokenTakesThePlaceOfTheFirst(transport) {
  const alice = await newPhone("alice", transport);
  await online([alice], async () => {});
  const first = alice.token;
  alice.wantToken();
  await online([alice], async () => {});
  assert.notEqual(alice.token.token, first.token);
  assert.deepEqual(alice.logins, [PASSWORDS, TOKENS]);
  // The answer might have been lost: the first one is good until the other is used.
  for (const token of [first, alice.token]) {
    const again = new Phone(alice.user, transport, { password: "forgotten", before: { id: alice.id, token } });
    await online([again], async () => assert.deepEqual(again.logins, [TOKENS]));
  }
  const late = new Phone(alice.user, transport, { password: "forgotten", before: { id: alice.id, token: first } });
  await assert.rejects(late.logIn(), refusedWith("not-authorized"));
  assert.deepEqual(late.logins, [TOKENS, PASSWORDS]);
  await late.goOffline();
}

async function aTokenIsForItsClientOnly(transport) {
  const alice = await newPhone("alice", transport);
  await online([alice], async () => {});
  const thief = new Phone(alice.user, transport, { password: "guessed", before: { id: undefined, token: alice.token } });
  await assert.rejects(thief.logIn(), refusedWith("not-authorized"));
  assert.deepEqual(thief.logins, [TOKENS, PASSWORDS]);
  await thief.goOffline();
  await online([alice], async () => assert.deepEqual(alice.logins, [PASSWORDS, TOKENS]));
}

async function aChangedPasswordEndsTokensAndStreams(transport) {
  const phone = await newPhone("alice", transport);
  await phone.comeOnline();
  const { stream, token } = phone;
  await phone.breakDown();
  const desk = new Phone(phone.user, OTHER[transport]);
  await online([desk], async () => {
    const account = registration(xml("username", {}, desk.user), xml("password", {}, NEW_PASSWORD));
    await desk.change(account, DOMAIN);
  });
  // Neither the token nor the old password.
  await assert.rejects(phone.comeBack(), refusedWith("not-authorized"));
  await phone.goOffline();
  assert.deepEqual(phone.logins, [PASSWORDS, TOKENS, PASSWORDS]);
  const again = new Phone(phone.user, transport, { password: NEW_PASSWORD, before: { id: phone.id, token } });
  again.xmpp.streamManagement.id = stream;
  await online([again], async () => {
    assert.deepEqual(again.logins, [TOKENS, PASSWORDS]);
    assert.notEqual(again.stream, stream, "its stream is not resumed with the new one either");
    assert.notEqual(again.token.token, token.token);
  });
  await online([again], async () => assert.equal(again.logins.at(-1), TOKENS));
}

const TESTS = [
  resourceStreamManagementAndATokenComeWithTheLogin,
  aWrongPasswordIsRefused,
  aTokenLogsInInOneRoundTrip,
  aBrokenConnectionIsResumedWithNothingLostOrDoubled,
  anotherTokenTakesThePlaceOfTheFirst,
  aTokenIsForItsClientOnly,
  aChangedPasswordEndsTokensAndStreams,
];

await judge(each(TESTS, TRANSPORTS));
