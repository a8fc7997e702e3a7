import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Bursts } from '../lib/outputs/bursts.js';

/** With what it has passed on so far. */
function begun({ mock }) {
  mock.timers.enable({ apis: ['setTimeout'] });
  const passed = [];
  return { passed, bursts: new Bursts(items => passed.push(items.join(' '))) };
}

test('what comes after a lull is passed on at once', t => {
  const { passed, bursts } = begun(t);
  bursts.add(['a', 'b']);
  t.mock.timers.tick(200);
  bursts.add([]);
  bursts.add(['c']);
  assert.deepEqual(passed, ['a b', 'c']);
});

test('what comes in quick succession is passed on together when it is over', t => {
  const { passed, bursts } = begun(t);
  bursts.add(['a']);
  for (const item of ['b', 'c']) {
    t.mock.timers.tick(199);
    bursts.add([item]);
  }
  assert.deepEqual(passed, ['a']);
  t.mock.timers.tick(199);
  assert.deepEqual(passed, ['a']);
  t.mock.timers.tick(1);
  assert.deepEqual(passed, ['a', 'b c']);
  t.mock.timers.tick(10_000);
  bursts.add(['d']);
  assert.deepEqual(passed, ['a', 'b c', 'd']);
});

test('nothing waits for longer than half a second, however long more comes', t => {
  const { passed, bursts } = begun(t);
  for (let number = 0; number <= 12; number += 1) {
    bursts.add([number]);
    t.mock.timers.tick(100);
  }
  assert.deepEqual(passed, ['0', '1 2 3 4 5', '6 7 8 9 10']);
});
