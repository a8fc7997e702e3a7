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
  describe([{ children: [item] }], () => stage, 'ann', trans);
  assert.equal(item.detail(), 'Waiting for room');
  assert.equal(item.labelTitle(), 'Notebook\n\nWaiting for room: insufficient memory');
  stage = { is: 'running' };
  assert.equal(item.detail(), '');
  assert.equal(item.labelTitle(), 'Notebook');
});

test('a kernel that somebody has alone says so while it simply runs', () => {
  let stage = { is: 'running' };
  const item = { kernel: { id: 'a', only_for: 'ann' } };
  const others = { kernel: { id: 'b', only_for: 'bob' } };
  const shared = { kernel: { id: 'c', only_for: null } };
  describe([item, others, shared], () => stage, 'ann', trans);
  assert.equal(others.detail(), 'bob alone');
  assert.equal(shared.detail(), '');
  assert.equal(item.detail(), 'Only you');
  assert.equal(item.labelTitle(), 'Only you');
  stage = { is: 'launching', launch };
  assert.equal(item.detail(), 'Waiting for room');
});

test('a kernel of which the page has no session is called by its document', () => {
  class Kernel {
    kernel = { id: '763099d5-1', path: 'demo/plot.ipynb' };
    children = [];
    label() {
      return 'No sessions connected';
    }
    labelTitle() {
      return 'No sessions connected: 763099d5-1';
    }
  }
  const item = new Kernel();
  const nameless = Object.assign(new Kernel(), { kernel: { id: 'a', path: '' } });
  describe([item, nameless], () => ({ is: 'running' }), 'ann', trans);
  assert.equal(item.label(), 'plot.ipynb (763099d5)');
  assert.equal(item.labelTitle(), 'demo/plot.ipynb: 763099d5-1');
  assert.equal(nameless.label(), 'No sessions connected');
  item.children.push({});
  assert.equal(item.label(), 'No sessions connected', 'JupyterLab names the session');
});
