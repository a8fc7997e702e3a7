import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KernelReach } from '../lib/kernels/kernelReach.js';

const signal = () => ({ connect: () => undefined, disconnect: () => undefined });

/** How things stand with a kernel that has lost what a process had. */
function reach(lost) {
  const stream = { stateChanged: signal(), journal: 'j', lost };
  const made = new KernelReach({ added: signal(), get: () => stream }, () => undefined);
  made.follow({ id: 'kernel', clientId: 'page' });
  return made;
}

const LOST = { process: 1, reason: 'the kernel was restarted', by: 'ann' };

test('a person is told of a restart until they have read of it', () => {
  const told = reach(LOST);
  told.note(false);
  assert.equal(told.restartReason, 'the kernel was restarted');
  assert.equal(told.restartedBy, 'ann');
  told.seeRestart();
  assert.equal(told.restartReason, null);
  assert.equal(told.restartedBy, null);
});

test('who has restarted the kernel, or had it dead before them, is not told', () => {
  const own = reach({ ...LOST, isOwn: true });
  own.note(false);
  assert.equal(own.restartReason, null);
  const dead = reach(LOST);
  dead.note(true);
  dead.note(false);
  assert.equal(dead.restartReason, null);
});
