import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Leftovers } from '../lib/stream/leftovers.js';
import { Outgoing } from '../lib/stream/outgoing.js';
import { FakeStorage, onlyPage } from './fakeFleet.js';

const END = { kernelId: 'k/1', sessionId: 's', nonce: 'n' };
const HEAD = new TextEncoder().encode('shell{"msg_id":"m","msg_type":"t"}');
const HEAD_BYTES = 4 * 8 + HEAD.length;

/** A message in the layout of v1 that ends with these bytes. */
function bytes(...values) {
  const message = new Uint8Array(HEAD_BYTES + values.length);
  const offsets = new DataView(message.buffer);
  [3, 32, 32 + 'shell'.length, HEAD_BYTES].forEach((offset, at) =>
    offsets.setBigUint64(8 * at, BigInt(offset), true)
  );
  message.set(HEAD, 32);
  message.set(values, HEAD_BYTES);
  return message.buffer;
}

/** A message of a size. */
function sized(size) {
  const message = new Uint8Array(size);
  message.set(new Uint8Array(bytes()));
  return message.buffer;
}

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

test('the next page finds what was not acknowledged, in order and with its numbers', async () => {
  const storage = new FakeStorage();
  const page = new Leftovers(storage, () => 'ann', onlyPage());
  page.setJournal(END, 'j');
  for (let number = 1; number <= 12; number += 1) {
    page.keep(END, number, bytes(0, 255, number));
  }
  page.acknowledge(END, 9);
  mock.timers.tick(1_000);
  const next = new Leftovers(storage, () => 'ann', onlyPage());
  assert.deepEqual(await next.take('another kernel'), []);
  const [left, ...others] = await next.take('k/1');
  assert.deepEqual(others, []);
  assert.deepEqual({ ...left, messages: [] }, { ...END, journal: 'j', messages: [] });
  assert.deepEqual(
    left.messages.map(({ number, message }) => [
      number,
      ...new Uint8Array(message.slice(HEAD_BYTES))
    ]),
    [10, 11, 12].map(number => [number, 0, 255, number])
  );
  assert.deepEqual(await next.take('k/1'), []);
  next.drop(left);
  assert.equal(storage.length, 0);
});

test('what has not been sent to any agent yet has no journal', async () => {
  const storage = new FakeStorage();
  new Leftovers(storage, () => 'ann', onlyPage()).keep(END, 1, bytes(1));
  assert.equal(
    (await new Leftovers(storage, () => 'ann', onlyPage()).take('k/1'))[0].journal,
    null
  );
});

test('a message that is too long leaves its number', async () => {
  const storage = new FakeStorage();
  const page = new Leftovers(storage, () => 'ann', onlyPage());
  page.keep(END, 1, sized(256 * 1024 + 1));
  page.keep(END, 2, bytes(2));
  const [left] = await new Leftovers(storage, () => 'ann', onlyPage()).take('k/1');
  assert.deepEqual(
    left.messages.map(({ number, message }) => [number, message?.byteLength]),
    [
      [1, undefined],
      [2, HEAD_BYTES + 1]
    ]
  );
});

test('all pages of a tab keep at most 2 MB', async () => {
  const storage = new FakeStorage();
  for (const nonce of ['a', 'b']) {
    const page = new Leftovers(storage, () => 'ann', onlyPage());
    for (let number = 1; number <= 6; number += 1) {
      page.keep({ ...END, nonce }, number, sized(256 * 1024));
    }
  }
  const kept = (await new Leftovers(storage, () => 'ann', onlyPage()).take('k/1')).flatMap(
    ({ messages }) => messages
  );
  assert.equal(kept.length, 12);
  assert.equal(kept.filter(({ message }) => message).length, 8);
});

test('a browser that keeps nothing keeps the page working', async () => {
  const full = new FakeStorage();
  full.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  for (const storage of [full, null]) {
    const page = new Leftovers(storage, () => 'ann', onlyPage());
    page.setJournal(END, 'j');
    page.keep(END, 1, bytes(1));
    page.acknowledge(END, 1);
    page.drop(END);
    assert.deepEqual(await page.take('k/1'), []);
  }
});

test('what other code keeps in the tab is left alone', async () => {
  const storage = new FakeStorage();
  storage.setItem('jupyter-fleet:pending', 'x');
  storage.setItem('a/b/c/d/1', 'x');
  const page = new Leftovers(storage, () => 'ann', onlyPage());
  page.keep(END, 1, bytes(1));
  page.drop(END);
  assert.equal(storage.length, 2);
});

test('what another user of the tab has left is removed', async () => {
  const storage = new FakeStorage();
  const page = new Leftovers(storage, () => 'ann', onlyPage());
  page.setJournal(END, 'j');
  page.keep(END, 1, bytes(1));
  assert.deepEqual(await new Leftovers(storage, () => 'bob', onlyPage()).take('k/1'), []);
  assert.equal(storage.length, 0);
});

test('until the user is known, nothing of the tab is removed and nobody delivers it', async () => {
  const storage = new FakeStorage();
  const earlier = new Leftovers(storage, () => 'ann', onlyPage());
  earlier.setJournal(END, 'j');
  earlier.keep(END, 1, bytes(1));
  let user = null;
  const page = new Leftovers(storage, () => user, onlyPage());
  assert.deepEqual(await page.take('k/1'), []);
  page.keep({ ...END, nonce: 'next' }, 1, bytes(2));
  assert.equal(storage.length, 2);
  user = 'ann';
  assert.deepEqual(
    (await page.take('k/1')).map(({ nonce, journal }) => [nonce, journal]),
    [['n', 'j']]
  );
});

test('what was sent before the user is known is kept as soon as it is, and is only then', async () => {
  const storage = new FakeStorage();
  let user = null;
  const page = new Leftovers(storage, () => user, onlyPage());
  page.setJournal(END, 'j');
  [1, 2, 3].forEach(number => page.keep(END, number, bytes(number)));
  page.acknowledge(END, 1);
  mock.timers.tick(1_000);
  assert.equal(storage.length, 0);
  user = 'ann';
  page.keep(END, 4, bytes(4));
  const [left] = await new Leftovers(storage, () => 'ann', onlyPage()).take('k/1');
  assert.equal(left.journal, 'j');
  assert.deepEqual(
    left.messages.map(({ number }) => number),
    [2, 3, 4]
  );
  assert.deepEqual(await new Leftovers(storage, () => 'bob', onlyPage()).take('k/1'), []);
});

test('a message far from the others, or far from what the agent has, hangs nothing', () => {
  const nothing = () => bytes(0);
  const message = bytes(1);
  const leftovers = new Leftovers(null, () => 'ann', onlyPage());
  const far = Outgoing.of(
    { ...END, journal: null, messages: [1, 3, 9e15].map(number => ({ number, message })) },
    leftovers,
    nothing
  );
  assert.deepEqual(
    [...far].map(({ number }) => number),
    [1, 2, 3]
  );
  const alone = { ...END, journal: null, messages: [{ number: 9e15, message }] };
  const apart = Outgoing.of(alone, leftovers, nothing);
  apart.fillUpFrom(7);
  assert.ok(apart.isEmpty);
});
