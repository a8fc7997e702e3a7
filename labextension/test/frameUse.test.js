import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isUsed } from '../lib/outputs/frameUse.js';

const CLICKED = { isActive: true, hasFocus: true, isHovered: true, elsewhere: 60_000 };

test('a frame is used by a click in it, and by a key when it has long had the focus', () => {
  assert.ok(isUsed(CLICKED));
  assert.ok(isUsed({ ...CLICKED, elsewhere: 500 }));
  assert.ok(isUsed({ ...CLICKED, isHovered: false }));
  assert.ok(isUsed({ ...CLICKED, isHovered: false, elsewhere: Infinity }));
});

test('it is not used by a click elsewhere, whatever has the focus', () => {
  assert.ok(!isUsed({ ...CLICKED, hasFocus: false }));
  assert.ok(!isUsed({ ...CLICKED, isHovered: false, elsewhere: 500 }));
});

test('it is not used when nobody does anything', () => {
  assert.ok(!isUsed({ ...CLICKED, isActive: false }));
});
