import assert from 'node:assert/strict';
import { test } from 'node:test';

import { labelOfStream, noticeOfStream } from '../lib/kernels/noticeOfStream.js';
import { trans } from './trans.js';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const RUNNING = { is: 'running' };
const cut = (why, reason = '', lasted = 5000) => ({ is: 'cut', since: NOW - lasted, why, reason });
const notice = (state, stage = RUNNING) => noticeOfStream(state, stage, NOW, trans);
const label = (state, stage = RUNNING) => labelOfStream(state, stage, NOW, trans);

test('a connection that serves its page says nothing, nor does one that was never there', () => {
  for (const state of [
    null,
    { is: 'connecting' },
    { is: 'connected' },
    { is: 'ended', code: 4404, reason: 'the kernel was deleted', by: null }
  ]) {
    assert.equal(notice(state), null);
    assert.equal(label(state), '');
  }
});

test('a cut is told after a second, whatever its reason', () => {
  for (const why of ['network', 'owner', 'unreachable']) {
    assert.equal(notice(cut(why, '', 999)), null);
    assert.equal(label(cut(why, '', 999)), '');
    assert.notEqual(notice(cut(why, '', 1000)), null);
  }
});

test('without a server a person can only try at once, and loses nothing', () => {
  const away = {
    text: 'The server cannot be reached. What you run is sent when it is back.',
    urgent: false,
    actions: ['retry'],
    since: '2026-01-01T00:00:55.000Z'
  };
  assert.deepEqual(notice(cut('network')), away);
  assert.equal(label(cut('network')), 'Reconnecting');
  // What the page has heard of a launch or of a kernel is old.
  assert.deepEqual(notice(cut('network'), { is: 'launching', launch: {} }), away);
  assert.deepEqual(notice(cut('network'), null), away);
});

test('a change of gateways is told without a button', () => {
  const { text, urgent, actions } = notice(cut('owner'));
  assert.equal(text, 'The kernel is being handed to another gateway. It keeps running.');
  assert.deepEqual([urgent, actions], [false, []]);
  assert.equal(label(cut('owner')), 'Reconnecting');
});

test('servers that do not reach the kernel say why', () => {
  const { text, urgent, actions } = notice(cut('unreachable', 'no owner is known yet.'));
  assert.equal(text, 'The kernel cannot be reached: no owner is known yet.');
  assert.deepEqual([urgent, actions], [true, ['retry']]);
  assert.equal(notice(cut('unreachable')).text, 'The kernel cannot be reached.');
  assert.equal(label(cut('unreachable')), 'Not reachable');
});

test('what the server knows of the kernel is not said twice', () => {
  for (const stage of [
    { is: 'launching', launch: { phase: 'queued' } },
    { is: 'unreachable', reason: 'its agent has been silent for 42 s' },
    { is: 'dead', reason: 'the kernel was killed', whileLaunching: false }
  ]) {
    for (const why of ['owner', 'unreachable']) {
      assert.equal(notice(cut(why, 'no owner'), stage), null);
      assert.equal(label(cut(why, 'no owner'), stage), '');
    }
  }
});

test('who is signed out can sign in, and what is run waits', () => {
  assert.deepEqual(notice({ is: 'signedOut' }), {
    text: 'You are signed out. What you run waits until you sign in again.',
    urgent: true,
    actions: ['signIn']
  });
  assert.equal(label({ is: 'signedOut' }), 'Signed out');
});

test('who lost the right to use the kernel is told so', () => {
  const state = { is: 'notAllowed', reason: "you are not an editor of the project 'demo'." };
  assert.deepEqual(notice(state), {
    text: "You may no longer use this kernel: you are not an editor of the project 'demo'.",
    urgent: true,
    actions: []
  });
  assert.equal(notice({ is: 'notAllowed', reason: '' }).text, 'You may no longer use this kernel.');
  assert.equal(label(state), 'No access');
});
