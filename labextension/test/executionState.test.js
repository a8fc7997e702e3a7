import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ExecutionState } from '../lib/stream/executionState.js';

const UNTRACKED = ['kernel_info_request', 'debug_request'];

function status(state, parent, type = 'execute_request') {
  return {
    channel: 'iopub',
    header: { msg_type: 'status', msg_id: 'm', session: 'kernel' },
    parent_header: parent ? { msg_id: parent, msg_type: type } : {},
    metadata: {},
    content: { execution_state: state }
  };
}

/** What JupyterLab shows in the end: the last status whose request it does not ignore. */
function shown(messages) {
  return messages
    .filter(message => message && !UNTRACKED.includes(message.parent_header.msg_type))
    .at(-1)?.content.execution_state;
}

test('a kernel is busy while a cell runs, whatever ends beside it', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [
    status('busy', 'cell'),
    status('busy', 'subshell'),
    status('idle', 'subshell')
  ].map(message => state.heard(message));
  assert.equal(shown(heard), 'busy');
  // The request itself is told apart by its id, which stays.
  assert.equal(heard[2].parent_header.msg_id, 'subshell');
  heard.push(state.heard(status('idle', 'cell')));
  assert.equal(shown(heard), 'idle');
});

test('what runs when the page connects counts until it ends', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [state.told('busy')];
  assert.equal(shown(heard), 'busy');
  for (const now of ['busy', 'idle']) {
    heard.push(state.heard(status(now, 'subshell', 'comm_msg')));
  }
  assert.equal(shown(heard), 'busy');
  assert.equal(state.isUncertain, true);
  heard.push(state.heard(status('idle', 'cell')));
  assert.equal(shown(heard), 'idle');
  assert.equal(state.isUncertain, false);
});

test('the next cell shows that the earlier one has ended', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [
    state.told('busy'),
    state.heard(status('busy', 'next')),
    state.told('busy'),
    state.heard(status('idle', 'next'))
  ];
  assert.equal(shown(heard), 'idle');
});

test('what the page itself asks first does not hide that a cell runs', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [
    state.heard(status('busy', 'new', 'create_subshell_request')),
    state.told('busy'),
    state.heard(status('idle', 'new', 'create_subshell_request'))
  ];
  assert.equal(shown(heard), 'busy');
});

test('an answer that comes after the end of a cell says nothing', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [state.heard(status('idle', 'cell')), state.told('busy')];
  assert.equal(shown(heard), 'idle');
});

test('the server ends the doubt when the end was not heard', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [state.told('busy'), state.told('idle')];
  assert.equal(shown(heard), 'idle');
  assert.equal(state.isUncertain, false);
});

test('a kernel whose death was not heard is not busy for ever, and its last words come first', () => {
  const state = new ExecutionState(UNTRACKED);
  assert.equal(shown([state.told('busy')]), 'busy');
  assert.equal(state.told('dead'), null);
  assert.equal(state.told('dead'), null);
  assert.equal(shown([state.told('dead')]), 'dead');
});

test('a kernel that was dead already says nothing of it: its last words are still asked for', () => {
  const state = new ExecutionState(UNTRACKED);
  for (let times = 0; times < 9; times += 1) {
    assert.equal(state.told('dead'), null);
  }
});

test('a cell that ran before messages went missing counts until somebody knows', () => {
  const before = new ExecutionState(UNTRACKED);
  before.heard(status('busy', 'cell'));
  const dead = new ExecutionState(UNTRACKED, before);
  assert.equal(shown([dead.told('dead'), dead.told('dead'), dead.told('dead')]), 'dead');
  const done = new ExecutionState(UNTRACKED, before);
  assert.equal(shown([done.told('idle')]), 'idle');
  const known = new ExecutionState(UNTRACKED, before);
  assert.equal(shown([known.heard(status('idle', 'cell'))]), 'idle');
});

test('a kernel that starts again runs nothing', () => {
  const state = new ExecutionState(UNTRACKED);
  const heard = [
    state.told('busy'),
    state.heard(status('busy', 'subshell', 'comm_msg')),
    state.heard(status('restarting')),
    state.heard(status('idle', 'other'))
  ];
  assert.equal(shown(heard), 'idle');
});

test('requests that JupyterLab ignores change nothing', () => {
  const state = new ExecutionState(UNTRACKED);
  const message = status('idle', 'info', 'kernel_info_request');
  assert.equal(state.heard(message), message);
  assert.equal(shown([state.told('busy')]), 'busy');
});

test('what it says comes from the session of the kernel, or JupyterLab would drop what waits', () => {
  const state = new ExecutionState(UNTRACKED);
  state.heard({ ...status('busy', 'x'), header: { msg_type: 'stream', session: 'kernel' } });
  assert.equal(state.told('idle').header.session, 'kernel');
});

test('a kernel that starts is idle as soon as it answers', () => {
  const info = { ...status('ok'), header: { msg_type: 'kernel_info_reply', session: 'kernel' } };
  info.content = { status: 'ok' };
  const state = new ExecutionState(UNTRACKED);
  const heard = [state.heard(status('starting'))];
  assert.equal(state.isUncertain, true);
  assert.equal(state.answered({ ...info, content: { status: 'aborted' } }), null);
  heard.push(state.answered(info));
  assert.equal(shown(heard), 'idle');
  assert.equal(state.isUncertain, false);
  assert.equal(state.answered(info), null);
});

test('an answer while a cell of before runs does not make the kernel idle', () => {
  const state = new ExecutionState(UNTRACKED);
  state.told('busy');
  assert.equal(
    state.answered({ header: { msg_type: 'kernel_info_reply' }, content: { status: 'ok' } }),
    null
  );
});
