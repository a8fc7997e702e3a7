import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Signal } from '@lumino/signaling';

import { KernelLaunches } from '../lib/launches/kernelLaunches.js';
import { stillLaunching } from '../lib/launches/stillLaunching.js';

function list() {
  const made = { models: [], running: () => made.models };
  made.runningChanged = new Signal(made);
  made.set = models => {
    made.models = models;
    made.runningChanged.emit(models);
  };
  return made;
}

const launch = { phase: 'pulling', message: '40 %' };

test('both lists and the messages of open kernels tell how far a kernel has come', () => {
  const kernels = list();
  const sessions = list();
  const launches = new KernelLaunches(kernels, sessions);
  const heard = [];
  launches.changed.connect((_, id) => heard.push([id, launches.stageOf(id).is]));
  sessions.set([{ kernel: null }, { kernel: { id: 'a', state: 'launching', launch } }]);
  kernels.set([
    { id: 'a', state: 'launching', launch },
    { id: 'b', state: 'running' }
  ]);
  const kernel = { id: 'a' };
  kernel.anyMessage = new Signal(kernel);
  launches.listen(kernel);
  launches.listen(kernel);
  const info = { header: { msg_type: 'kernel_info_reply' }, content: { status: 'ok' } };
  kernel.anyMessage.emit({ msg: info, direction: 'send' });
  assert.equal(launches.stageOf('a').is, 'launching');
  kernel.anyMessage.emit({ msg: info, direction: 'recv' });
  assert.deepEqual(heard, [
    ['a', 'launching'],
    ['b', 'running'],
    ['a', 'running']
  ]);
  assert.equal(launches.stageOf('c').is, 'unknown');
});

test('what JupyterLab keeps of the kernels of sessions takes back nothing that is newer', () => {
  const kernels = list();
  const sessions = list();
  const launches = new KernelLaunches(kernels, sessions);
  const asItWas = [{ kernel: { id: 'a', state: 'launching', launch } }];
  sessions.set(asItWas);
  kernels.set([{ id: 'a', state: 'dead', reason: 'no such image', launch_failed: true }]);
  sessions.set([...asItWas, { kernel: null }]);
  assert.equal(launches.stageOf('a').is, 'dead');
});

test('what the lists said before anybody asked is known', () => {
  const kernels = list();
  kernels.models = [{ id: 'a', state: 'unreachable', reason: 'silent' }];
  const launches = new KernelLaunches(kernels, list());
  assert.deepEqual(launches.stageOf('a'), { is: 'unreachable', reason: 'silent' });
});

test('whether a launch that the page believes in still lasts is the word of the server', async () => {
  const kernels = list();
  const launches = new KernelLaunches(kernels, list());
  const model = { id: 'a', state: 'launching', launch };
  kernels.set([model, { id: 'b', state: 'running' }]);
  assert.equal(await stillLaunching(launches, 'a', async () => model), true);
  const away = () => Promise.reject(new Error('no gateway answers'));
  assert.equal(await stillLaunching(launches, 'a', away), false);
  assert.equal(await stillLaunching(launches, 'a', async () => undefined), false);
  assert.equal(await stillLaunching(launches, 'a', async id => ({ id, state: 'running' })), false);
  assert.equal(launches.stageOf('a').is, 'running');
  // Nobody is asked about a kernel that runs.
  assert.equal(await stillLaunching(launches, 'b', away), false);
});
