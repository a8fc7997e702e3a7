import assert from 'node:assert/strict';
import { test } from 'node:test';

import { shownStatus } from '../lib/launches/shownStatus.js';

const RUNNING = { is: 'running' };
const DEAD = { is: 'dead', reason: '', whileLaunching: false };

for (const [status, isDead, stage, shown] of [
  ['idle', false, RUNNING, 'idle'],
  ['connecting', false, DEAD, 'connecting'],
  ['unknown', false, RUNNING, 'connecting'],
  ['unknown', false, { is: 'unknown' }, 'connecting'],
  ['unknown', false, DEAD, 'dead'],
  ['unknown', true, RUNNING, 'dead'],
  ['disconnected', true, RUNNING, 'dead'],
  ['disconnected', false, DEAD, 'dead'],
  ['disconnected', false, RUNNING, 'disconnected'],
  ['unknown', false, { is: 'unreachable', reason: 'silent' }, 'unknown']
]) {
  test(`${status} is shown as ${shown}: ${isDead ? 'dead' : 'not dead'}, ${stage.is}`, () => {
    assert.equal(shownStatus(status, isDead, stage), shown);
  });
}
