import assert from 'node:assert/strict';
import { test } from 'node:test';

import { framedContent, heightOfLines } from '../lib/outputs/framedContent.js';

test('the height of text and tables is guessed, within the bounds of frames', () => {
  assert.equal(heightOfLines(1, 0), 22);
  assert.equal(heightOfLines(11, 10), 302);
  assert.equal(heightOfLines(0, 0), 60);
  assert.equal(heightOfLines(5, 9), 252);
  assert.equal(heightOfLines(1e9, 0), 6000);
});

test('scripts, and what is very long, are not read', () => {
  const nothing = { text: '', height: 60 };
  assert.deepEqual(framedContent({ mimeType: 'application/javascript', data: 'x' }), nothing);
  const long = { mimeType: 'text/html', data: 'x'.repeat(1_000_001) };
  assert.deepEqual(framedContent(long), nothing);
});
