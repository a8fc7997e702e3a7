import assert from 'node:assert/strict';
import { test } from 'node:test';

import { hasEnded, toWarnOf } from '../lib/kernels/idleKernels.js';

const kernel = (id, from, at) => ({
  id,
  cull_warning_at: new Date(from).toISOString(),
  cull_at: new Date(at).toISOString()
});

test('a page is warned of its own kernels, from the time on that the server names', () => {
  const kernels = [
    kernel('mine', 1000, 5000),
    kernel('other', 1000, 5000),
    kernel('later', 3000, 7000),
    { id: 'busy', cull_at: null, cull_warning_at: null },
    { id: 'stock' }
  ];
  const mine = new Set(['mine', 'later', 'busy', 'stock']);
  assert.deepEqual(toWarnOf(kernels, mine, 999), []);
  assert.deepEqual(toWarnOf(kernels, mine, 1000), [{ id: 'mine', at: 5000 }]);
  assert.deepEqual(
    toWarnOf(kernels, mine, 6000).map(({ id }) => id),
    ['mine', 'later']
  );
});

test('a kernel that goes before its time was ended by somebody', () => {
  assert.equal(hasEnded(5000, 4999), false);
  assert.equal(hasEnded(5000, 5000), true);
});
