import assert from 'node:assert/strict';
import { test } from 'node:test';

import { SentCode } from '../lib/replay/sentCode.js';

class FakeStorage {
  items = new Map();
  getItem = key => this.items.get(key) ?? null;
  setItem = (key, value) => void this.items.set(key, value);
}

test('what a tab has sent is known after a reload, with the code that was sent alone', () => {
  const storage = new FakeStorage();
  new SentCode(storage).sent('r', 'hash');
  const sent = new SentCode(storage);
  assert.equal(sent.has('r', 'hash'), true);
  assert.equal(sent.has('r', 'other'), false);
  assert.equal(sent.has('unknown', 'hash'), false);
  assert.equal(new SentCode(new FakeStorage()).has('r', 'hash'), false);
});

test('the oldest requests are forgotten, and a storage that fails or says nonsense is no error', () => {
  const storage = new FakeStorage();
  const sent = new SentCode(storage);
  for (let number = 0; number <= 2_000; number += 1) {
    sent.sent(`r${number}`, 'hash');
  }
  assert.equal(new SentCode(storage).has('r0', 'hash'), false);
  assert.equal(new SentCode(storage).has('r1', 'hash'), true);
  for (const text of ['{', '1', '[1, ["r"]]']) {
    storage.getItem = () => text;
    assert.equal(new SentCode(storage).has('r', 'hash'), false);
  }
  storage.setItem = () => {
    throw new Error('full');
  };
  const full = new SentCode(storage);
  full.sent('r', 'hash');
  assert.equal(full.has('r', 'hash'), true);
});
