import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Leftovers } from '../lib/stream/leftovers.js';
import { FakeStorage } from './fakeFleet.js';

const END = { kernelId: 'k/1', sessionId: 's', nonce: 'n' };
const bytes = (...values) => Uint8Array.from(values).buffer;

beforeEach(() => mock.timers.enable({ apis: ['setTimeout'] }));
afterEach(() => mock.timers.reset());

test('the next page finds what was not acknowledged, in order and with its numbers', () => {
  const storage = new FakeStorage();
  const page = new Leftovers(storage, () => 'ann');
  page.setJournal(END, 'j');
  for (let number = 1; number <= 12; number += 1) {
    page.keep(END, number, bytes(0, 255, number));
  }
  page.acknowledge(END, 9);
  mock.timers.tick(1_000);
  const next = new Leftovers(storage, () => 'ann');
  assert.deepEqual(next.take('another kernel'), []);
  const [left, ...others] = next.take('k/1');
  assert.deepEqual(others, []);
  assert.deepEqual({ ...left, messages: [] }, { ...END, journal: 'j', messages: [] });
  assert.deepEqual(
    left.messages.map(({ number, message }) => [number, ...new Uint8Array(message)]),
    [10, 11, 12].map(number => [number, 0, 255, number])
  );
  assert.deepEqual(next.take('k/1'), []);
  next.drop(left);
  assert.equal(storage.length, 0);
});

test('what has not been sent to any agent yet has no journal', () => {
  const storage = new FakeStorage();
  new Leftovers(storage, () => 'ann').keep(END, 1, bytes(1));
  assert.equal(new Leftovers(storage, () => 'ann').take('k/1')[0].journal, null);
});

test('a message that is too long leaves its number', () => {
  const storage = new FakeStorage();
  const page = new Leftovers(storage, () => 'ann');
  page.keep(END, 1, new ArrayBuffer(256 * 1024 + 1));
  page.keep(END, 2, bytes(2));
  const [left] = new Leftovers(storage, () => 'ann').take('k/1');
  assert.deepEqual(
    left.messages.map(({ number, message }) => [number, message?.byteLength]),
    [
      [1, undefined],
      [2, 1]
    ]
  );
});

test('all pages of a tab keep at most 2 MB', () => {
  const storage = new FakeStorage();
  for (const nonce of ['a', 'b']) {
    const page = new Leftovers(storage, () => 'ann');
    for (let number = 1; number <= 6; number += 1) {
      page.keep({ ...END, nonce }, number, new ArrayBuffer(256 * 1024));
    }
  }
  const kept = new Leftovers(storage, () => 'ann').take('k/1').flatMap(({ messages }) => messages);
  assert.equal(kept.length, 12);
  assert.equal(kept.filter(({ message }) => message).length, 8);
});

test('a browser that keeps nothing keeps the page working', () => {
  const full = new FakeStorage();
  full.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  for (const storage of [full, null]) {
    const page = new Leftovers(storage, () => 'ann');
    page.setJournal(END, 'j');
    page.keep(END, 1, bytes(1));
    page.acknowledge(END, 1);
    page.drop(END);
    assert.deepEqual(page.take('k/1'), []);
  }
});

test('what other code keeps in the tab is left alone', () => {
  const storage = new FakeStorage();
  storage.setItem('jupyter-fleet:pending', 'x');
  storage.setItem('a/b/c/d/1', 'x');
  const page = new Leftovers(storage, () => 'ann');
  page.keep(END, 1, bytes(1));
  page.drop(END);
  assert.equal(storage.length, 2);
});

test('what another user of the tab has left is removed', () => {
  const storage = new FakeStorage();
  const page = new Leftovers(storage, () => 'ann');
  page.setJournal(END, 'j');
  page.keep(END, 1, bytes(1));
  assert.deepEqual(new Leftovers(storage, () => 'bob').take('k/1'), []);
  assert.equal(storage.length, 0);
});

test('until the user is known, nothing of the tab is removed and nobody delivers it', () => {
  const storage = new FakeStorage();
  const earlier = new Leftovers(storage, () => 'ann');
  earlier.setJournal(END, 'j');
  earlier.keep(END, 1, bytes(1));
  let user = null;
  const page = new Leftovers(storage, () => user);
  assert.deepEqual(page.take('k/1'), []);
  page.keep({ ...END, nonce: 'next' }, 1, bytes(2));
  assert.equal(storage.length, 2);
  user = 'ann';
  assert.deepEqual(
    page.take('k/1').map(({ nonce, journal }) => [nonce, journal]),
    [['n', 'j']]
  );
});

test('what was sent before the user is known is kept as soon as it is, and is only then', () => {
  const storage = new FakeStorage();
  let user = null;
  const page = new Leftovers(storage, () => user);
  page.setJournal(END, 'j');
  [1, 2, 3].forEach(number => page.keep(END, number, bytes(number)));
  page.acknowledge(END, 1);
  mock.timers.tick(1_000);
  assert.equal(storage.length, 0);
  user = 'ann';
  page.keep(END, 4, bytes(4));
  const [left] = new Leftovers(storage, () => 'ann').take('k/1');
  assert.equal(left.journal, 'j');
  assert.deepEqual(
    left.messages.map(({ number }) => number),
    [2, 3, 4]
  );
  assert.deepEqual(new Leftovers(storage, () => 'bob').take('k/1'), []);
});
