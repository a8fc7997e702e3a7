import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isUsedElsewhere } from '../lib/kernels/usedElsewhere.js';

const own = (...users) => ({
  kernelId: 'k',
  people: { now: { process: 1, users }, me: 'ann' }
});
const kernel = connections => ({ id: 'k', connections });

test('a kernel is used elsewhere while more pages than this one are connected to it', () => {
  const other = { ...own('ann'), kernelId: 'other' };
  assert.equal(isUsedElsewhere(kernel(1), [other]), true);
  assert.equal(isUsedElsewhere(kernel(0), []), false);
  assert.equal(isUsedElsewhere(kernel(1), [own('ann', 'bob')]), false);
  assert.equal(isUsedElsewhere(kernel(2), [own('ann', 'bob')]), true);
  assert.equal(isUsedElsewhere(kernel(2), [own('ann', 'bob'), own('ann', 'bob')]), false);
});

test('other tabs of the user are nobody else, where nobody else has run anything', () => {
  assert.equal(isUsedElsewhere(kernel(2), [own('ann')]), false);
  assert.equal(isUsedElsewhere(kernel(2), [own(null)]), true);
  assert.equal(isUsedElsewhere({ ...kernel(1), only_for: 'ann' }, []), false);
});

test('a server that does not count connections tells of no other user', () => {
  assert.equal(isUsedElsewhere({ id: 'k' }, []), false);
});
