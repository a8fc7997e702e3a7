import assert from 'node:assert/strict';
import { test } from 'node:test';

import { stageOfMessage, stageOfModel, UNKNOWN } from '../lib/launches/launchStage.js';

const launch = { phase: 'queued', message: '', position: 2, since: '2026-01-01T00:00:00Z' };
const launching = { is: 'launching', launch };
const running = { is: 'running' };

function message(type, content) {
  return { channel: 'iopub', header: { msg_type: type }, content };
}

test('the model tells how far a kernel has come', () => {
  assert.deepEqual(stageOfModel(UNKNOWN, { state: 'launching', launch }), launching);
  assert.deepEqual(stageOfModel(launching, { state: 'running', launch: null }), running);
  assert.deepEqual(stageOfModel(running, { state: 'restarting' }), running);
  assert.deepEqual(stageOfModel(running, { state: 'unreachable', reason: 'silent for 42 s' }), {
    is: 'unreachable',
    reason: 'silent for 42 s'
  });
  assert.deepEqual(stageOfModel({ is: 'unreachable', reason: '' }, { state: 'running' }), running);
});

test('a launch without words is one all the same', () => {
  assert.equal(stageOfModel(UNKNOWN, { state: 'launching', launch: null }).is, 'launching');
});

test('a kernel of a server that knows no states takes cells', () => {
  assert.deepEqual(stageOfModel(UNKNOWN, { execution_state: 'starting' }), running);
});

test('a list that was on its way when the kernel answered does not take it back', () => {
  assert.deepEqual(stageOfModel(running, { state: 'launching', launch }), running);
});

test('a kernel that failed to start is told from one that ended', () => {
  const dead = { state: 'dead', reason: 'no such image' };
  assert.equal(stageOfModel(launching, dead).whileLaunching, true);
  assert.equal(stageOfModel(running, dead).whileLaunching, false);
  const told = stageOfMessage(
    launching,
    message('status', { execution_state: 'dead', reason: 'x' })
  );
  assert.deepEqual(told, { is: 'dead', reason: 'x', whileLaunching: true });
  // And stays so when the list says it once more.
  assert.deepEqual(stageOfModel(told, { state: 'dead', reason: 'x' }), told);
});

test('after a reload the model tells a failed start from a kernel that ended later', () => {
  const dead = { state: 'dead', reason: 'no such image' };
  const failed = stageOfModel(UNKNOWN, { ...dead, launch_failed: true });
  assert.deepEqual(failed, { is: 'dead', reason: 'no such image', whileLaunching: true });
  assert.equal(stageOfModel(UNKNOWN, { ...dead, launch_failed: false }).whileLaunching, false);
  // Also if the lab tells of the death before the list comes, or after it.
  const told = message('status', { execution_state: 'dead', reason: 'no such image' });
  const first = stageOfMessage(UNKNOWN, told);
  assert.deepEqual(stageOfModel(first, { ...dead, launch_failed: true }), failed);
  assert.deepEqual(stageOfMessage(failed, told), failed);
});

test('a reason that comes later is taken, one that is missing takes none away', () => {
  const silent = stageOfModel(launching, { execution_state: 'dead' });
  assert.equal(silent.reason, '');
  const told = stageOfModel(silent, { state: 'dead', reason: 'out of memory' });
  assert.deepEqual(told, { is: 'dead', reason: 'out of memory', whileLaunching: true });
  assert.equal(stageOfModel(told, { execution_state: 'dead' }).reason, 'out of memory');
});

test('a dead kernel can be launched again', () => {
  const dead = { is: 'dead', reason: 'x', whileLaunching: true };
  assert.deepEqual(stageOfModel(dead, { state: 'launching', launch }), launching);
  assert.deepEqual(stageOfModel(dead, { state: 'running' }), running);
});

test('messages tell of each change, and that the kernel answers', () => {
  const starting = message('status', { execution_state: 'starting', launch });
  assert.deepEqual(stageOfMessage(UNKNOWN, starting), launching);
  const info = message('kernel_info_reply', { status: 'ok' });
  assert.deepEqual(stageOfMessage(launching, info), running);
  // A kernel's own status says nothing of its launch.
  assert.equal(
    stageOfMessage(launching, message('status', { execution_state: 'idle' })),
    launching
  );
  assert.equal(stageOfMessage(running, message('stream', { text: 'x' })), running);
});

test('what an interrupt answers in the place of a kernel does not make it run', () => {
  const aborted = message('kernel_info_reply', { status: 'aborted' });
  assert.equal(stageOfMessage(launching, aborted), launching);
  assert.equal(
    stageOfMessage(launching, message('execute_reply', { status: 'aborted' })),
    launching
  );
});
