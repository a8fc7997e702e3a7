import assert from 'node:assert/strict';
import { test } from 'node:test';

import { judge, pauseAfter, SignIn } from '../lib/user/signIn.js';

/** A page of ann's, and who is signed in. */
async function pageOfAnn() {
  const server = { user: 'ann', asked: 0 };
  const signIn = new SignIn(async () => {
    server.asked += 1;
    if (server.user === undefined) {
      throw new TypeError('no network');
    }
    return server.user;
  });
  await signIn.start();
  return { server, signIn };
}

test('nobody, somebody else and no answer are told apart', () => {
  assert.equal(judge('ann', 'ann', 'out'), 'in');
  assert.equal(judge('ann', null, 'in'), 'out');
  assert.equal(judge('ann', 'bob', 'out'), 'other');
  assert.equal(judge('ann', undefined, 'out'), 'out');
  assert.equal(judge(null, 'ann', 'checking'), 'in');
});

test('it is asked less and less often', () => {
  assert.ok(pauseAfter(1) > pauseAfter(0));
  assert.equal(pauseAfter(50), 15_000);
});

test('what waits goes on when the same person is back', async () => {
  const { server, signIn } = await pageOfAnn();
  server.user = null;
  signIn.ended();
  assert.equal(signIn.state, 'checking');
  let back = false;
  const waiting = signIn.whenIn().then(() => (back = true));
  await signIn.check();
  assert.equal(signIn.state, 'out');
  server.user = 'bob';
  signIn.hurry();
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(signIn.state, 'other');
  assert.equal(signIn.otherUser, 'bob');
  assert.equal(back, false);
  server.user = 'ann';
  signIn.hurry();
  await waiting;
  assert.equal(signIn.state, 'in');
});

test('who has signed out in another tab is told so, and not of a login that expires later', async () => {
  const { server, signIn } = await pageOfAnn();
  // Another login of this browser, as that of another fleet.
  signIn.signedOut();
  await signIn.check();
  assert.deepEqual([signIn.state, signIn.isSignedOut], ['in', false]);
  server.user = null;
  signIn.signedOut();
  await signIn.check();
  assert.deepEqual([signIn.state, signIn.isSignedOut], ['out', true]);
  server.user = 'ann';
  signIn.hurry();
  await signIn.whenIn();
  await signIn.check();
  server.user = null;
  await signIn.check();
  assert.deepEqual([signIn.state, signIn.isSignedOut], ['out', false]);
  // It asks until somebody is signed in.
  server.user = 'ann';
  signIn.hurry();
  await signIn.whenIn();
});

test('a server that does not answer signs nobody out', async () => {
  const { server, signIn } = await pageOfAnn();
  server.user = undefined;
  assert.equal(await signIn.check(), true);
  assert.equal(signIn.state, 'in');
});

test('many refusals at once ask once', async () => {
  const { server, signIn } = await pageOfAnn();
  server.asked = 0;
  server.user = null;
  await Promise.all(Array.from({ length: 10 }, () => signIn.check()));
  assert.equal(server.asked, 1);
  signIn.hurry();
  server.user = 'ann';
  await signIn.whenIn();
});
