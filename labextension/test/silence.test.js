import assert from 'node:assert/strict';
import { test } from 'node:test';

import { mostUnanswered, silencesAfter } from '../lib/stream/silence.js';

const silent = { code: 1006, reason: 'silent' };
const cut = { code: 1006, reason: '' };

test('each end by silence doubles how long the next one may be, up to a minute', () => {
  const seconds = [0, 1, 2, 3, 4, 50].map(silences => (mostUnanswered(silences) + 1) * 2.5);
  assert.deepEqual(seconds, [7.5, 12.5, 22.5, 42.5, 60, 60]);
  assert.equal(silencesAfter(0, silent, 7_500), 1);
  assert.equal(silencesAfter(1, silent, 100_000), 2);
});

test('a connection that outlives its limit shows that it suffices, and only such a one', () => {
  assert.equal(silencesAfter(2, cut, 22_000), 2);
  assert.equal(silencesAfter(2, cut, 23_000), 0);
  assert.equal(silencesAfter(2, { code: 1012, reason: 'silent' }, 1_000), 2);
  assert.equal(silencesAfter(0, cut, 0), 0);
});
