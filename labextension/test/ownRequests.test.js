import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  outputOfDeath,
  reasonOfShutDown,
  SHUT_DOWN,
  SHUT_DOWN_BY_OTHERS
} from '../lib/outputs/kernelDied.js';
import { OwnRequests } from '../lib/replay/ownRequests.js';

const reply = content => ({ header: { msg_type: 'execute_reply' }, content });

test('the death of a kernel is shown, and no other reply', () => {
  assert.deepEqual(
    outputOfDeath(reply({ status: 'error', ename: 'KernelDied', evalue: 'signal 11' })),
    {
      output_type: 'error',
      ename: 'KernelDied',
      evalue: 'signal 11',
      traceback: ['KernelDied: signal 11']
    }
  );
  const shown = (status, evalue) => outputOfDeath(reply({ status, ename: 'KernelDied', evalue }));
  const plain = text => ({ output_type: 'stream', name: 'stderr', text });
  assert.deepEqual(
    shown('aborted', 'signal 11'),
    plain("Not run: the kernel ended before this cell's turn.\n")
  );
  assert.deepEqual(
    shown('error', 'the kernel was shut down'),
    plain('The kernel was shut down.\n')
  );
  assert.equal(outputOfDeath(reply({ status: 'error', ename: 'KeyError', evalue: '1' })), null);
  assert.equal(outputOfDeath(reply({ status: 'aborted' })), null);
  for (const own of ['the kernel was shut down', 'the kernel was restarted']) {
    assert.equal(shown('aborted', own), null);
  }
  assert.equal(outputOfDeath(reply({ status: 'ok' })), null);
});

test('cells are told of an end that the user of the page has not asked for', () => {
  assert.equal(reasonOfShutDown('ann', 'ann'), SHUT_DOWN);
  assert.equal(reasonOfShutDown('ann', 'bob'), SHUT_DOWN_BY_OTHERS);
  assert.equal(reasonOfShutDown(null, 'ann'), SHUT_DOWN_BY_OTHERS);
  assert.equal(reasonOfShutDown(null, undefined), SHUT_DOWN_BY_OTHERS);
});

test('a cell that this page ran is its own until the agent has said so', () => {
  const own = new OwnRequests();
  own.sent('r1', 'a');
  own.sent('r2', 'a');
  assert.equal(own.isComing('a'), true);
  own.announced('r1');
  assert.equal(own.isComing('a'), true);
  own.announced('r2');
  assert.equal(own.isComing('a'), false);
  own.announced('unknown');
  assert.equal(own.isComing('b'), false);
});

test('what this page sends behind its question is later than all of the answer', () => {
  const own = new OwnRequests();
  own.sent('r1', 'a');
  own.announced('r1');
  own.asked();
  assert.equal(own.isLater('a', new Set()), false);
  own.sent('r2', 'a');
  own.announced('r2');
  assert.equal(own.isLater('a', new Set(['r1'])), true);
  assert.equal(own.isLater('b', new Set(['r1'])), false);
  own.asked();
  assert.equal(own.isLater('a', new Set(['r2'])), false);
});
