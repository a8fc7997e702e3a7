import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UnansweredSaves } from '../lib/contents/unansweredSaves.js';
import { steadyTime } from '../lib/page/steadyTime.js';

test('a clock that is set changes no time that a page waits for', t => {
  let clock = Date.now();
  t.mock.method(Date, 'now', () => clock);
  const before = steadyTime();
  assert.ok(Math.abs(before - clock) < 60_000, 'it tells the time');
  for (const hours of [-5, 9]) {
    clock += hours * 3_600_000;
    assert.ok(steadyTime() >= before);
    assert.ok(steadyTime() - before < 60_000);
  }
});

test('a person hears of a save that nobody has answered, also if the clock was set back', t => {
  let steady = 0;
  t.mock.method(globalThis.performance, 'now', () => steady);
  const saves = new UnansweredSaves();
  assert.equal(saves.add('a', 'content'), true);
  t.mock.method(Date, 'now', () => 0);
  steady = 9_999;
  assert.equal(saves.add('a', 'content'), true);
  steady = 10_000;
  assert.equal(saves.add('a', 'content'), false);
});
