import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isMine } from '../lib/outputs/mine.js';

test('an output is mine if I have run or trusted it', () => {
  assert.equal(isMine({ trusted: true }), true);
  assert.equal(isMine({ trusted: false }), false);
});

test('none is where the operator has all of them framed', () => {
  assert.equal(isMine({ trusted: true }, true), false);
  assert.equal(isMine({ trusted: false }, true), false);
});
