import assert from 'node:assert/strict';
import { test } from 'node:test';

import { goneStateOf, isTold } from '../lib/replay/goneState.js';
import { goneAction, goneLine, goneNotice } from '../lib/replay/goneWords.js';
import { trans } from './trans.js';

test('a cell that is gone is told of if it said something or keeps the kernel busy', () => {
  assert.equal(isTold('done', 0, false), false);
  assert.equal(isTold('done', 1, false), true);
  for (const state of ['queued', 'running', 'asks']) {
    assert.equal(isTold(state, 0, false), true, state);
  }
});

test('what another page runs meanwhile is told of once it says something or asks', () => {
  for (const state of ['queued', 'running', 'done']) {
    assert.equal(isTold(state, 0, true), false, state);
    assert.equal(isTold(state, 1, true), true, state);
  }
  assert.equal(isTold('asks', 0, true), true);
});

test('a request asks while it runs and its question is not answered', () => {
  assert.equal(goneStateOf({ state: 'running', asks: 7 }), 'asks');
  assert.equal(goneStateOf({ state: 'running', asks: null }), 'running');
  assert.equal(goneStateOf({ state: 'queued', asks: null }), 'queued');
  assert.equal(goneStateOf({ state: 'done', asks: null }), 'done');
});

for (const [states, text] of [
  [['done'], 'The kernel ran a cell that is not in this notebook.'],
  [['done', 'done'], 'The kernel ran 2 cells that are not in this notebook.'],
  [['queued'], 'The kernel will run a cell that is not in this notebook.'],
  [['done', 'queued'], 'The kernel ran, or will run, 2 cells that are not in this notebook.'],
  [['running'], 'The kernel is running a cell that is not in this notebook.'],
  [
    ['done', 'running', 'queued'],
    'The kernel ran 3 cells that are not in this notebook. One of them is still running.'
  ],
  [['asks'], 'A cell that is not in this notebook waits for an answer.'],
  [
    ['asks', 'queued'],
    'The kernel ran 2 cells that are not in this notebook. One of them waits for an answer.'
  ]
]) {
  test(`the notice says what keeps the kernel busy: ${states}`, () => {
    assert.equal(goneNotice(states, trans), text);
    const action = states.includes('asks') ? 'Show Question' : 'Show Output';
    assert.equal(goneAction(states, trans), action);
  });
}

test('each cell says how far it is', () => {
  assert.equal(goneLine('done', 3, 'yesterday', trans), '[3] yesterday');
  assert.equal(goneLine('running', 3, 'yesterday', trans), '[3] yesterday (running)');
  assert.equal(goneLine('queued', null, '', trans), '[ ] (queued)');
  assert.equal(goneLine('asks', 3, '', trans), '[3] (waits for an answer)');
});
