import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KernelManager, ServerConnection } from '@jupyterlab/services';

import { followLaunches, tellsOther } from '../lib/launches/followLaunches.js';

const same = { id: 'a', name: 'python', execution_state: 'starting', connections: 1 };
const at = message => ({
  ...same,
  state: 'launching',
  launch: { phase: 'pulling', message, position: null, since: '2026-01-01T00:00:00Z' }
});

/** JupyterLab's own list of kernels, in front of a server that lists these. */
function managerOf(answer) {
  const settings = ServerConnection.makeSettings({
    baseUrl: 'http://localhost/',
    appendToken: false,
    fetch: () => Promise.resolve(Response.json(answer.models))
  });
  return new KernelManager({ serverSettings: settings, standby: 'never' });
}

test('the list of kernels changes with the launch of one of them', async () => {
  const answer = { models: [at('40 %')] };
  const manager = managerOf(answer);
  followLaunches(manager);
  await manager.ready;
  const shown = [];
  manager.runningChanged.connect(() => {
    shown.push([...manager.running()].map(({ launch, reason }) => launch?.message ?? reason));
  });
  await manager.refreshRunning();
  assert.deepEqual(shown, []);
  answer.models = [at('80 %')];
  await manager.refreshRunning();
  await manager.refreshRunning();
  assert.deepEqual(shown, [['80 %']]);
  // What JupyterLab sees itself it tells once.
  answer.models = [{ ...at('90 %'), connections: 2 }];
  await manager.refreshRunning();
  assert.deepEqual(shown, [['80 %'], ['90 %']]);
  manager.dispose();
});

test('the list of kernels changes when a notebook is renamed', async () => {
  const answer = { models: [{ ...same, path: 'demo/a.ipynb' }] };
  const manager = managerOf(answer);
  followLaunches(manager);
  await manager.ready;
  let changes = 0;
  manager.runningChanged.connect(() => (changes += 1));
  answer.models = [{ ...same, path: 'demo/b.ipynb' }];
  await manager.refreshRunning();
  await manager.refreshRunning();
  assert.deepEqual([changes, [...manager.running()][0].path], [1, 'demo/b.ipynb']);
  manager.dispose();
});

test('only what a list shows of launches and documents is compared', () => {
  assert.equal(tellsOther([at('40 %')], [at('40 %')]), false);
  assert.equal(tellsOther([at('40 %')], [{ ...at('40 %'), connections: 2 }]), false);
  assert.equal(tellsOther([at('40 %')], [{ ...same, state: 'running' }]), true);
  const dead = { ...same, state: 'dead', launch_failed: false };
  assert.equal(tellsOther([dead], [{ ...dead, launch_failed: true }]), true);
});
