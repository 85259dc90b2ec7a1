// The chat page in a real browser.

import assert from "node:assert/strict";
import { each, judge } from "./judge.js";
import { DOMAIN, newAccount, newName } from "./newcomers.js";
import { close, KINDS, newPicture, Visitor } from "./visitor.js";

const ROOMS = `rooms.${DOMAIN}`;
const other = (kind) => KINDS.find((found) => found !== kind);

// Two people in browsers of their own, with different kinds of connection; what they did asked nobody else for anything.
async function two(kind, body) {
  const alice = await Visitor.logIn(await newAccount("alice"), kind);
  const bob = await Visitor.logIn(await newAccount("bob"), other(kind));
  try {
    await Promise.all([alice.isIn(), bob.isIn()]);
    await body(alice, bob);
    for (const [visitor, carried] of [[alice, kind], [bob, other(kind)]]) {
      assert.deepEqual([visitor.strayed, visitor.wrong], [[], []]);
      assert.deepEqual([...visitor.carried], [carried]);
    }
  } catch (error) {
    await Promise.all([alice.show(`${kind}-failed-1`), bob.show(`${kind}-failed-2`)]);
    throw error;
  } finally {
    await Promise.all([alice.leave(), bob.leave()]);
  }
}

async function peopleTalkSendAPictureAndFindItInAFreshBrowser(kind) {
  await two(kind, async (alice, bob) => {
    const [toBob, toAlice] = [alice.with(bob.bare), bob.with(alice.bare)];
    await toBob.open();
    await toBob.say("Shall we meet?");
    await toAlice.answer();
    await toAlice.hear("Shall we meet?");
    await toAlice.say("Gladly, <b>tomorrow</b>!");
    await toBob.hear("Gladly, <b>tomorrow</b>!");
    await toBob.send(await newPicture(alice));
    assert.equal(await toAlice.widthOfPicture(), 160);
    assert.equal(await toBob.widthOfPicture(), 160);
    await alice.show(`${kind}-1-alice`);
    await bob.show(`${kind}-2-bob`);
    const fresh = await Visitor.logIn(alice.user, kind);
    await fresh.isIn();
    const again = fresh.with(bob.bare);
    await again.open();
    await again.hear("Shall we meet?");
    await again.hear("Gladly, <b>tomorrow</b>!");
    assert.equal(await again.widthOfPicture(), 160);
    await fresh.show(`${kind}-3-fresh`);
    assert.deepEqual([fresh.strayed, fresh.wrong], [[], []]);
    await fresh.leave();
  });
}

async function peopleMeetInARoom(kind) {
  await two(kind, async (alice, bob) => {
    const room = `${newName("tea")}@${ROOMS}`;
    const [hers, his] = [alice.with(room), bob.with(room)];
    await hers.open("room");
    await his.open("room");
    await hers.say("Welcome!");
    await his.hear("Welcome!");
    await his.say("Thank you");
    await hers.hear("Thank you");
    await bob.show(`${kind}-4-room`);
  });
}

async function aWrongPasswordIsSaidToBeOne(kind) {
  const alice = await Visitor.arrive(await newAccount("alice"), kind);
  await alice.show(`${kind}-5-login`);
  await alice.fillIn(alice.user, "guessed");
  await alice.page.locator(".conn-feedback").getByText("password is incorrect").waitFor();
  await alice.show(`${kind}-6-refused`);
  await alice.fillIn(alice.user);
  await alice.isIn();
  await alice.leave();
}

async function somebodyNewMakesAnAccount(kind) {
  const carol = await Visitor.arrive(newName("carol"), kind);
  await carol.register();
  await carol.isIn();
  await carol.show(`${kind}-7-registered`);
  assert.deepEqual([carol.strayed, carol.wrong], [[], []]);
  await carol.leave();
}

// Both have the same name, and whoever chats may be logged in there.
async function scriptsOfTheChatPageSeeNothingOfTheArchive(kind) {
  const alice = await Visitor.arrive(await newAccount("alice"), kind);
  await alice.readArchive();
  assert.deepEqual(await alice.reachForArchive(), { status: 403, isOutOfReach: true });
  await alice.leave();
}

const TESTS = [peopleTalkSendAPictureAndFindItInAFreshBrowser, peopleMeetInARoom, aWrongPasswordIsSaidToBeOne, somebodyNewMakesAnAccount];
const RUNS = [...each(TESTS, KINDS), ...each([scriptsOfTheChatPageSeeNothingOfTheArchive], KINDS.slice(0, 1))];

await judge(RUNS, close);
