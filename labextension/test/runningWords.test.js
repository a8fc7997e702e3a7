import assert from 'node:assert/strict';
import { test } from 'node:test';

import { describe, runningWords } from '../lib/launches/runningWords.js';
import { trans } from './trans.js';

const launch = { phase: 'scheduling', message: 'insufficient memory', position: null };

test('the list of kernels says how far a kernel is, in few words and in full', () => {
  const says = (stage, detail, title) =>
    assert.deepEqual(runningWords(stage, trans), { detail, title });
  says({ is: 'launching', launch }, 'Waiting for room', 'Waiting for room: insufficient memory');
  says({ is: 'unreachable', reason: 'silent for 9 s' }, 'Not reachable', 'Silent for 9 s');
  const dead = { is: 'dead', reason: 'no such image', whileLaunching: true };
  says(dead, 'Not started', 'No such image');
  says({ ...dead, reason: '', whileLaunching: false }, 'Has ended', 'Has ended');
  assert.equal(runningWords({ is: 'running' }, trans), null);
  assert.equal(runningWords({ is: 'unknown' }, trans), null);
});

test('kernels say it below their kernelspecs, as it is when they are drawn', () => {
  let stage = { is: 'launching', launch };
  class Kernel {
    kernel = { id: 'a' };
    name = 'Notebook';
    labelTitle() {
      return this.name;
    }
  }
  const item = new Kernel();
  describe([{ children: [item] }], () => stage, trans);
  assert.equal(item.detail(), 'Waiting for room');
  assert.equal(item.labelTitle(), 'Notebook\n\nWaiting for room: insufficient memory');
  stage = { is: 'running' };
  assert.equal(item.detail(), '');
  assert.equal(item.labelTitle(), 'Notebook');
});

test('a kernel that its user has alone says so while it simply runs', () => {
  let stage = { is: 'running' };
  const item = { kernel: { id: 'a', only_for: 'ann' } };
  describe([item, { kernel: { id: 'b', only_for: null } }], () => stage, trans);
  assert.equal(item.detail(), 'Only you');
  assert.equal(item.labelTitle(), 'Only you');
  stage = { is: 'launching', launch };
  assert.equal(item.detail(), 'Waiting for room');
});
