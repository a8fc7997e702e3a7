import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SentCode } from '../lib/replay/sentCode.js';

class FakeStorage {
  items = new Map();
  written = 0;
  get length() {
    return this.items.size;
  }
  key = at => [...this.items.keys()][at] ?? null;
  getItem = key => this.items.get(key) ?? null;
  setItem = (key, value) => {
    this.items.set(key, value);
    this.written += value.length;
  };
  removeItem = key => void this.items.delete(key);
}

test('what a tab has sent is known after a reload, with the code that was sent alone', () => {
  const storage = new FakeStorage();
  new SentCode(storage, 'ann').sent('r', 'hash');
  const sent = new SentCode(storage, 'ann');
  assert.equal(sent.has('r', 'hash'), true);
  assert.equal(sent.has('r', 'other'), false);
  assert.equal(sent.has('unknown', 'hash'), false);
  assert.equal(new SentCode(new FakeStorage(), 'ann').has('r', 'hash'), false);
});

test('who signs in after another person in the same tab trusts nothing that they ran', () => {
  const storage = new FakeStorage();
  new SentCode(storage, 'ann').sent('r', 'hash');
  storage.setItem('jupyter-fleet:sent-code', '[["old", "hash"]]');
  storage.setItem('theirs', 'is not touched');
  const bob = new SentCode(storage, 'bob');
  assert.equal(bob.has('r', 'hash'), false);
  assert.equal(bob.has('old', 'hash'), false);
  bob.sent('s', 'hash');
  assert.equal(new SentCode(storage, 'ann/').has('s', 'hash'), false);
  assert.equal(new SentCode(storage, 'ann').has('r', 'hash'), false);
  assert.deepEqual([...storage.items.keys()], ['theirs']);
});

test('a page that does not know its user trusts and keeps nothing over a reload', () => {
  const storage = new FakeStorage();
  new SentCode(storage, 'ann').sent('r', 'hash');
  const nobody = new SentCode(storage, null);
  assert.equal(nobody.has('r', 'hash'), false);
  nobody.sent('s', 'hash');
  assert.equal(nobody.has('s', 'hash'), true);
  assert.equal(storage.length, 0);
});

test('one more cell is one more entry, however many there are', () => {
  const storage = new FakeStorage();
  const sent = new SentCode(storage, 'ann');
  sent.sent('r0', 'hash');
  const first = storage.written;
  for (let number = 1; number < 10; number += 1) {
    sent.sent(`r${number}`, 'hash');
  }
  assert.equal(storage.written, 10 * first);
});

test('the oldest requests are forgotten, also those of before a reload', () => {
  const storage = new FakeStorage();
  const before = new SentCode(storage, 'ann');
  for (let number = 0; number < 1_500; number += 1) {
    before.sent(`r${number}`, 'hash');
  }
  const sent = new SentCode(storage, 'ann');
  for (let number = 1_500; number <= 2_000; number += 1) {
    sent.sent(`r${number}`, 'hash');
  }
  assert.equal(storage.length, 2_000);
  const after = new SentCode(storage, 'ann');
  assert.equal(after.has('r0', 'hash'), false);
  assert.equal(after.has('r1', 'hash'), true);
  assert.equal(after.has('r2000', 'hash'), true);
});

test('a storage that fails or says nonsense is no error', () => {
  const storage = new FakeStorage();
  new SentCode(storage, 'ann').sent('r', 'hash');
  const [key] = storage.items.keys();
  for (const text of ['{', '1', '["r"]', '["r", 1]']) {
    storage.items.set(key, text);
    assert.equal(new SentCode(storage, 'ann').has('r', 'hash'), false);
    assert.equal(storage.length, 0);
  }
  storage.setItem = () => {
    throw new Error('full');
  };
  const full = new SentCode(storage, 'ann');
  full.sent('r', 'hash');
  assert.equal(full.has('r', 'hash'), true);
});
