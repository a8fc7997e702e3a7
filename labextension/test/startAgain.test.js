import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ServerConnection } from '@jupyterlab/services';

import {
  startAgain,
  startMissed,
  startsAgain,
  startsAgainChanged
} from '../lib/kernels/startAgain.js';

/** A document whose kernel is dead, as far as its page knows, and in this state at the server. */
function document(state) {
  const made = { asked: [], changed: [], isDisposed: false };
  const fetch = async request => {
    made.asked.push(request.method);
    const status = state === 'gone' ? 404 : 200;
    const model = { id: 'k', name: 'python', state, execution_state: state };
    return new Response(JSON.stringify(status === 200 ? model : { message: 'gone' }), { status });
  };
  made.session = {
    id: 's',
    kernel: { id: 'k', name: 'python', status: 'dead' },
    serverSettings: ServerConnection.makeSettings({ baseUrl: 'http://lab/', fetch }),
    changeKernel: async model => made.changed.push(model)
  };
  made.sessionManager = { refreshRunning: async () => undefined, running: () => [] };
  return made;
}

test('a dead kernel is started again, and a new one if the server has forgotten it', async () => {
  const dead = document('dead');
  await startAgain(dead);
  assert.deepEqual([dead.asked, dead.changed], [['GET', 'POST'], []]);
  const gone = document('gone');
  await startAgain(gone);
  assert.deepEqual([gone.asked, gone.changed], [['GET', 'POST'], [{ name: 'python' }]]);
});

test('a kernel that a colleague has started again meanwhile keeps its variables', async () => {
  for (const state of ['running', 'launching']) {
    const again = document(state);
    await startAgain(again);
    assert.deepEqual([again.asked, again.changed], [['GET'], []]);
    const missed = document(state);
    await startMissed(missed, { id: 'k', name: 'python' });
    assert.deepEqual([missed.asked, missed.changed], [['GET'], [{ id: 'k' }]]);
  }
});

test('cells that are run wait while a dead kernel is started again, and no longer', async () => {
  const steps = [];
  const dead = document('dead');
  dead.kernelManager = {
    refreshRunning: async () => steps.push(`listed, starts again: ${startsAgain(dead)}`)
  };
  const told = (_, context) => steps.push(context === dead && startsAgain(context));
  startsAgainChanged.connect(told);
  await startAgain(dead);
  assert.deepEqual(steps.splice(0), [true, 'listed, starts again: true', false]);
  dead.session.serverSettings.fetch = () => Promise.reject(new TypeError('no network'));
  await assert.rejects(startAgain(dead));
  assert.deepEqual(steps, [true, false]);
  startsAgainChanged.disconnect(told);
});
