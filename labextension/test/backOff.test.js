import assert from 'node:assert/strict';
import { test } from 'node:test';

import { backOff } from '../lib/page/backOff.js';

test('a server that is away is asked less and less often, but never more than the longest pause apart', () => {
  const pauses = [0, 1, 2, 3, 4, 5, 100, 5000].map(attempts => backOff(attempts, 2000, 30_000, 1));
  assert.deepEqual(pauses, [2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000, 30_000]);
});

test('pages that lost the server together do not ask together', () => {
  assert.equal(backOff(4, 2000, 30_000, 0), 22_500);
});
