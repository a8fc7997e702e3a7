import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kernelOfForm } from '../lib/launches/kernelOfForm.js';

const WITH = ['gated', 'python'];

test('the form is about the kernel that is meant, the likeliest first', () => {
  assert.deepEqual(kernelOfForm(['python', 'gated'], WITH), { chosen: 'python', without: null });
  assert.deepEqual(kernelOfForm([undefined, '', 'gated'], WITH), {
    chosen: 'gated',
    without: null
  });
});

test('in place of a kernel without options no other one is chosen', () => {
  // Neither the first that has some, nor one that the document had earlier.
  assert.deepEqual(kernelOfForm(['stock', 'python'], WITH), { chosen: null, without: 'stock' });
  assert.deepEqual(kernelOfForm([undefined, ''], WITH), { chosen: null, without: null });
});
