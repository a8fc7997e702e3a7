import assert from 'node:assert/strict';
import { test } from 'node:test';

import { whoShutDown } from '../lib/kernels/whoShutDown.js';

test('the reason of an end names who has shut a kernel down, if somebody has', () => {
  assert.equal(whoShutDown('the kernel was shut down by ann.b@example.org'), 'ann.b@example.org');
  assert.equal(whoShutDown('the kernel was deleted'), null);
  assert.equal(whoShutDown(''), null);
});
