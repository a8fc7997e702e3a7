import assert from 'node:assert/strict';
import { test } from 'node:test';

import { labelOfKernel, noticeOfKernel } from '../lib/launches/noticeOfKernel.js';
import { trans } from './trans.js';

const NOTHING = { refused: null, restarted: null, startsAgain: false };
const notice = (stage, events = {}, waiting = 0) =>
  noticeOfKernel(stage, { ...NOTHING, ...events }, waiting, trans);
const queued = { phase: 'queued', position: 2, since: 'then' };

test('a launch is told with its time and can be canceled', () => {
  assert.deepEqual(notice({ is: 'launching', launch: queued }), {
    text: '2nd in the queue',
    urgent: false,
    actions: ['cancel'],
    since: 'then'
  });
  const stage = { is: 'launching', launch: queued };
  assert.equal(notice(stage, {}, 1).text, '2nd in the queue. 1 cell waits');
  assert.equal(notice(stage, {}, 3).text, '2nd in the queue. 3 cells wait');
});

test('a launch that failed says why, and what can be done', () => {
  const failed = { is: 'dead', reason: 'no such image: x.', whileLaunching: true };
  assert.deepEqual(notice(failed), {
    text: 'The kernel could not be started: no such image: x.',
    urgent: true,
    actions: ['startAgain', 'startWith']
  });
  assert.deepEqual(notice(null, { refused: 'the project may start no kernels' }), {
    text: 'The kernel could not be started: the project may start no kernels.',
    urgent: true,
    actions: ['startAgain', 'startWith']
  });
  assert.match(notice(failed, { refused: 'no gateway answers' }).text, /: no gateway answers\.$/);
  assert.equal(notice(failed, { startsAgain: true }).text, 'Starting the kernel again');
});

test('a kernel that did not come in place of another one says that this is still there', () => {
  const running = { is: 'running' };
  const missed = { title: 'Scala', reason: 'no such image: x.' };
  assert.deepEqual(notice(running, { missed }), {
    text:
      'Scala could not be started: no such image: x. ' +
      'The earlier kernel is still there, with its variables.',
    urgent: true,
    actions: ['startAgain', 'startWith'],
    closable: true
  });
  const canceled = notice(running, { missed: { title: 'Scala', reason: null } });
  assert.match(canceled.text, /^Scala was not started\. The earlier kernel is still there/);
  assert.equal(canceled.urgent, false);
  // What is wrong with the kernel that it has now matters more.
  const dead = { is: 'dead', reason: 'the kernel was killed', whileLaunching: false };
  assert.match(notice(dead, { missed }).text, /^The kernel was killed\./);
});

test('a kernel that ended says why', () => {
  const ended = { is: 'dead', reason: 'the kernel was killed', whileLaunching: false };
  assert.equal(notice(ended).text, 'The kernel was killed. Start it again to go on.');
  assert.match(notice({ ...ended, reason: '' }).text, /^The kernel ended unexpectedly\. /);
});

test('a kernel out of reach can be restarted or shut down', () => {
  const lost = { is: 'unreachable', reason: 'its agent has been silent for 42 s: node lost' };
  assert.deepEqual(notice(lost), {
    text: 'The kernel cannot be reached: its agent has been silent for 42 s: node lost.',
    urgent: true,
    actions: ['restart', 'shutDown']
  });
});

test('a kernel that runs says nothing, but that it was restarted', () => {
  assert.equal(notice({ is: 'running' }), null);
  assert.equal(notice(null), null);
  assert.equal(notice({ is: 'unknown' }), null);
  const restarted = notice({ is: 'running' }, { restarted: 'exit code 7' });
  assert.match(restarted.text, /^Exit code 7\. The kernel was restarted/);
  assert.equal(restarted.closable, true);
  const asked = notice({ is: 'running' }, { restarted: 'the kernel was restarted' });
  assert.equal(asked.text, 'The kernel was restarted: its variables are gone.');
  const by = { restarted: 'the kernel was restarted', restartedBy: 'ann' };
  const text = 'The kernel was restarted by ann: its variables are gone.';
  assert.equal(notice({ is: 'running' }, by).text, text);
  assert.equal(asked.closable, true);
});

test('the toolbar has room for a few words', () => {
  const label = stage => labelOfKernel(stage, trans);
  assert.equal(label({ is: 'launching', launch: queued }), '2nd in the queue');
  assert.equal(label({ is: 'unreachable', reason: 'x' }), 'Not reachable');
  assert.equal(label({ is: 'dead', reason: 'x', whileLaunching: true }), 'Not started');
  assert.equal(label({ is: 'running' }), '');
  assert.equal(label(null), '');
});
