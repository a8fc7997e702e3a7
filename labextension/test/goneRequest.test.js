import assert from 'node:assert/strict';
import { test } from 'node:test';

import { GoneRequest } from '../lib/replay/goneRequest.js';
import { numbered } from '../lib/stream/numbered.js';
import { tick } from './fakeFleet.js';

/** A request whose cell is gone. `boxes` are the questions that its output area shows. */
function gone({ horizon = 20, ...more } = {}) {
  const record = { request: 'r', state: 'running', count: 1, sent: null, asks: null, ...more };
  const boxes = [];
  const changes = [];
  let dropped = 0;
  let hook;
  const future = { onStdin: ({ content }) => boxes.push(content.prompt) };
  future.registerMessageHook = one => (hook = one);
  future.done = new Promise((resolve, reject) => Object.assign(future, { resolve, reject }));
  const asking = { record, horizon, dropQuestion: () => (dropped += 1) };
  const request = new GoneRequest(asking, future, isQuestion =>
    changes.push([request.state, isQuestion])
  );
  const say = (type, content, number) =>
    numbered({ header: { msg_type: type }, content, parent_header: {} }, number);
  return {
    request,
    future,
    boxes,
    changes,
    dropped: () => dropped,
    announce: said => request.announced({ ...record, ...said }),
    ask: (prompt, number) => future.onStdin(say('input_request', { prompt }, number)),
    input: content => hook(say('execute_input', content, 5))
  };
}

test('of the questions of a cell that is gone the one is asked that waits for an answer', () => {
  const { request, boxes, changes, dropped, ask, announce } = gone({ asks: 15 });
  assert.equal(request.state, 'asks');
  ask('answered', 10);
  assert.equal(dropped(), 1, 'JupyterLab would run no cell');
  ask('waits', 15);
  assert.deepEqual(boxes, ['waits']);
  assert.equal(dropped(), 1);
  assert.deepEqual(changes, [], 'it is known already');
  announce({ asks: null });
  ask('another', 21);
  assert.deepEqual(boxes, ['waits', 'another']);
  assert.deepEqual(changes, [
    ['running', false],
    ['asks', true]
  ]);
});

test('a cell that is gone and had asked asks nothing any more when it is done', () => {
  const { request, boxes, dropped, ask } = gone({ state: 'done' });
  ask('answered', 10);
  assert.deepEqual(boxes, []);
  assert.equal(dropped(), 1);
  assert.equal(request.state, 'done');
});

test('a cell that is gone runs once the kernel says what it runs', () => {
  const { request, changes, input } = gone({ state: 'queued', count: null });
  assert.deepEqual([request.state, request.count, request.code], ['queued', null, '']);
  assert.equal(input({ code: 'x = 1', execution_count: 4 }), true);
  assert.deepEqual([request.state, request.count, request.code], ['running', 4, 'x = 1']);
  assert.deepEqual(changes, [['running', false]]);
});

test('what the kernel ran of a cell that is gone and done leaves it done', () => {
  const { request, input } = gone({ state: 'done' });
  input({ code: 'x = 1', execution_count: 4 });
  assert.deepEqual([request.state, request.code], ['done', 'x = 1']);
});

for (const end of ['resolve', 'reject']) {
  test(`a cell that is gone does not run when its request is over: ${end}`, async () => {
    const { request, future, changes, announce } = gone();
    future[end]();
    await tick();
    assert.equal(request.state, 'done');
    announce({ state: 'running' });
    assert.equal(request.state, 'done');
    assert.deepEqual(changes, [['done', false]]);
  });
}

test('the agent says that a cell that is gone is done', () => {
  const { request, announce } = gone({ asks: 15 });
  announce({ state: 'done', asks: null, count: 2 });
  assert.deepEqual([request.state, request.count], ['done', 2]);
});
