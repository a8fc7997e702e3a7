import assert from 'node:assert/strict';
import { test } from 'node:test';

import { firstLines } from '../lib/replay/firstLines.js';

for (const [code, shown] of [
  ['', ''],
  ['x = 1\n\n', 'x = 1'],
  ['1\n2\n3\n4\n5', '1\n2\n3\n4\n5'],
  ['1\n2\n3\n4\n5\n6', '1\n2\n3\n4\n5\n…'],
  ['x'.repeat(401), `${'x'.repeat(400)}\n…`]
]) {
  test(`of ${JSON.stringify(code.slice(0, 20))} the first lines are shown`, () => {
    assert.equal(firstLines(code), shown);
  });
}
