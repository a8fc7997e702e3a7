import assert from 'node:assert/strict';
import { test } from 'node:test';

import { detailsOf } from '../lib/launches/kernelDetails.js';
import { trans } from './trans.js';

const model = {
  id: 'k-1',
  name: 'python',
  username: 'ann',
  project: 'demo',
  path: 'demo/a.ipynb',
  state: 'running',
  execution_state: 'busy',
  launch_options: { memory: '2Gi' }
};

test('the details name the person, the file, the state and the options', () => {
  assert.deepEqual(detailsOf(model, 'Python 3', [], trans), {
    about: [
      ['Kernel', 'Python 3'],
      ['State', 'Busy'],
      ['Started by', 'ann'],
      ['Project', 'demo'],
      ['File', 'demo/a.ipynb'],
      ['Id', 'k-1']
    ],
    options: [['Memory', '2Gi']]
  });
});

test('the details say who has a kernel alone', () => {
  const { about } = detailsOf({ ...model, only_for: 'ann' }, 'Python 3', [], trans);
  assert.deepEqual(about[3], ['Used by', 'ann alone']);
});

test('the details say what of the network a kernel reaches, if that is known', () => {
  const shown = (network, network_why = '') =>
    detailsOf({ ...model, network, network_why }, 'Python 3', [], trans).about.find(
      ([name]) => name === 'Network'
    )?.[1];
  assert.match(shown('none'), /nothing but itself/);
  assert.match(shown('none', 'pasta is missing'), /itself \(pasta is missing\)$/);
  assert.match(shown('internet'), /no private network/);
  assert.match(shown('host'), /its machine/);
  assert.equal(shown(null), undefined);
  assert.equal(shown(undefined), undefined);
});

test('a kernel that starts or has ended says how in its details', () => {
  const state = of => detailsOf({ id: 'k', name: 'n', ...of }, 'N', [], trans).about[1][1];
  const launch = { phase: 'queued', position: 2 };
  assert.equal(state({ state: 'launching', launch }), '2nd in the queue');
  assert.equal(state({ state: 'dead', reason: 'no image' }), 'Dead: no image');
  const failed = { state: 'dead', launch_failed: true };
  assert.equal(state({ ...failed, reason: 'no image' }), 'Not started: no image');
  assert.equal(state({ ...failed, reason: '' }), 'Not started');
  assert.deepEqual(detailsOf({ id: 'k', name: 'n' }, 'N', [], trans).options, []);
});

test('the details say what keeps a kernel from the others, where that is known', () => {
  const apart = walls => detailsOf({ ...model, walls }, 'P', [], trans).about[5];
  assert.deepEqual(apart('namespaces'), ['Kept apart by', 'namespaces of its own']);
  assert.match(apart('landlock')[1], /^Landlock alone/);
  assert.match(apart('none')[1], /^nothing: kernels of its project can read/);
  assert.equal(apart(null)[0], 'Id');
});

test('the kernel of a console has the name of the console, and no path that is made up', () => {
  const kernel = { id: 'k-1' };
  const shown = { name: 'Console 1', type: 'console', path: 'demo/console-1-0f3', kernel };
  const file = {
    name: 'b.ipynb',
    type: 'notebook',
    path: 'demo/7c1',
    document_path: 'demo/b.ipynb',
    kernel
  };
  const other = { ...shown, name: 'Console 2', kernel: { id: 'k-2' } };
  const used = (...sessions) =>
    detailsOf({ ...model, path: 'demo/console-1-0f3' }, 'Python 3', sessions, trans).about.slice(
      4,
      -1
    );
  assert.deepEqual(used(other, shown), [['Console', 'Console 1']]);
  // A notebook that was renamed after its kernel was started.
  assert.deepEqual(used(shown, file), [['File', 'demo/b.ipynb']]);
  assert.deepEqual(used({ ...file, document_path: undefined }), [['File', 'demo/7c1']]);
});
