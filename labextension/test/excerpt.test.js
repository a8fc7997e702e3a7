import assert from 'node:assert/strict';
import { test } from 'node:test';

import { excerpt } from '../lib/outputs/excerpt.js';

const SHOWN = { wholeLines: 20, wholeCharacters: 1000, endLines: 5, endCharacters: 200 };
const lines = (from, to) =>
  Array.from({ length: to - from }, (_, i) => `line ${from + i}\n`).join('');

test('a short text is shown whole', () => {
  for (const text of ['', 'x', lines(0, 20), 'x'.repeat(1000)]) {
    assert.deepEqual(excerpt(text, 0, SHOWN), { head: text, tail: '', lines: 0, characters: 0 });
  }
});

test('of a long text both ends are shown, and the rest is counted', () => {
  const part = excerpt(lines(0, 100), 0, SHOWN);
  assert.equal(part.head, lines(0, 5));
  assert.equal(part.tail, lines(95, 100));
  assert.equal(part.lines, 90);
});

test('a last line without a newline counts', () => {
  const part = excerpt(`${lines(0, 100)}end`, 0, SHOWN);
  assert.equal(part.tail, `${lines(96, 100)}end`);
});

test('long lines are cut by their length', () => {
  const part = excerpt('x'.repeat(5000), 0, SHOWN);
  assert.equal(part.head.length, 200);
  assert.equal(part.tail.length, 200);
  assert.equal(part.characters, 4600);
});

test('more shows more, until all is shown', () => {
  const text = lines(0, 100);
  let before = excerpt(text, 0, SHOWN);
  for (let more = 1; before.characters; more += 1) {
    assert.ok(more < 10);
    const part = excerpt(text, more, SHOWN);
    assert.ok(part.head.length > before.head.length);
    assert.ok(text.startsWith(part.head));
    before = part;
  }
  assert.equal(before.head, text);
});
