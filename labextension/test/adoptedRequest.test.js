import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { addHoles, fillCell } from '../lib/replay/adoptedRequest.js';
import { replayed } from '../lib/stream/numbered.js';
import { tick } from './fakeFleet.js';

/** The future of a request, handled as JupyterLab does. */
class FakeFuture {
  isDisposed = false;
  hooks = [];
  onIOPub = () => undefined;
  onStdin = () => undefined;
  done = new Promise(resolve => (this.resolve = resolve));

  registerMessageHook(hook) {
    this.hooks.unshift(hook);
  }

  iopub(text, number, type = 'stream') {
    const message = replayed(
      { channel: 'iopub', header: { msg_type: type }, content: { text } },
      number
    );
    if (this.hooks.every(hook => hook(message) !== false)) {
      this.onIOPub(message);
    }
  }

  /** As JupyterLab's own: it is done after a reply and an idle state. */
  msg = { header: { msg_id: 'r', session: 's' } };
  handled = [];
  async handleMsg(message) {
    this.handled.push(message);
    const of = channel => this.handled.find(one => one.channel === channel);
    if (of('shell') && of('iopub')?.content.execution_state === 'idle') {
      this.resolve(of('shell'));
    }
  }

  idle(number) {
    const content = { execution_state: 'idle' };
    const message = { channel: 'iopub', header: { msg_type: 'status' }, content };
    this.hooks.forEach(hook => hook(replayed(message, number)));
  }

  async reply(content) {
    this.idle(100);
    this.resolve({ content });
    await this.done;
    await Promise.resolve();
  }
}

/** A cell that shows texts, as far as it is filled. */
class FakeCell {
  constructor() {
    const texts = (this.texts = ['before']);
    const metadata = (this.metadata = { trusted: true });
    this.model = {
      executionCount: 1,
      executionState: 'idle',
      trusted: true,
      sharedModel: { transact: change => change() },
      outputs: { add: output => texts.push(output.data['text/plain']) },
      clearExecution: () => texts.splice(0),
      deleteMetadata: key => delete metadata[key]
    };
    this.outputArea = {
      _future: null,
      get future() {
        return this._future;
      },
      set future(value) {
        texts.splice(0);
        this.reattachFuture(value);
      },
      reattachFuture(value) {
        this._future = value;
        value.onIOPub = message => texts.push(message.content.text);
        value.onStdin = message => texts.push(message.content.prompt);
      }
    };
  }
}

let cell;
let future;
let changes;
let dropped;

beforeEach(() => {
  dropped = 0;
  cell = new FakeCell();
  future = new FakeFuture();
  changes = 0;
});

function fill(more) {
  fillCell(cell, future, {
    record: { request: 'r', count: 7, asks: null },
    refill: 'refill',
    held: null,
    holes: [],
    isTrusted: false,
    horizon: 20,
    change: change => {
      changes += 1;
      change();
    },
    cellNow: of => (cell.outputArea.future === of ? cell : undefined),
    missingText: count => `${count} missing`,
    dropQuestion: () => {
      dropped += 1;
    },
    ...more
  });
}

test('a cell is emptied and filled, runs, and ends with its count', async () => {
  fill();
  assert.deepEqual(cell.texts, []);
  assert.equal(cell.model.executionState, 'running');
  future.iopub('a', 11);
  await future.reply({ status: 'ok', execution_count: 3 });
  assert.deepEqual(cell.texts, ['a']);
  assert.equal(cell.model.executionState, 'idle');
  assert.equal(cell.model.executionCount, 3);
  assert.ok(changes >= 3);
});

test('what a request says to a cell that is filled again runs no scripts', () => {
  fill();
  assert.equal(cell.model.trusted, false);
  assert.equal('trusted' in cell.metadata, false);
  cell.model.trusted = true;
  future.iopub('a', 11, 'display_data');
  assert.equal(cell.model.trusted, true, 'a person trusts it again');
});

test('what is added to what a cell has runs no scripts', () => {
  fill({ refill: 'append', held: { request: 'r', number: 12 } });
  assert.equal(cell.model.trusted, false);
});

for (const type of ['display_data', 'execute_result', 'update_display_data']) {
  test(`a complete cell of the file is trusted until its request says more: ${type}`, () => {
    fill({ refill: 'follow' });
    future.iopub('from a thread', 30);
    assert.equal(cell.model.trusted, true);
    future.iopub('<script>', 31, type);
    assert.equal(cell.model.trusted, false);
    assert.ok(changes >= 1);
    cell.model.trusted = true;
    future.iopub('<b>', 32, type);
    assert.equal(cell.model.trusted, true, 'a person trusts it again');
  });
}

test('JupyterLab knows that a request is over whose end this page was not there for', async () => {
  const record = { request: 'r', count: 7, asks: null, state: 'done', reply: 'error' };
  fill({ refill: 'follow', record });
  const reply = await future.done;
  assert.deepEqual(reply.content, { status: 'error', execution_count: 7 });
  assert.equal(reply.parent_header.msg_id, 'r');
  await Promise.resolve();
  assert.equal(cell.model.executionState, 'idle');
  assert.deepEqual(cell.texts, ['before']);
});

test('a request that goes on, or whose messages come again, is not over', () => {
  for (const [state, refill] of [
    ['running', 'follow'],
    ['done', 'refill'],
    ['done', 'append']
  ]) {
    future = new FakeFuture();
    fill({ refill, record: { request: 'r', count: 7, asks: null, state, reply: null } });
    assert.deepEqual(future.handled, []);
  }
});

test('a cell that this page has run stays trusted unless it is filled again', () => {
  cell.outputArea.reattachFuture(future);
  fill({ refill: 'follow' });
  fill({ refill: 'follow' });
  future.iopub('<b>', 31, 'display_data');
  assert.equal(cell.model.trusted, true);
  fill();
  assert.equal(cell.model.trusted, false);
});

test('what this tab has asked for is trusted as if it had never been away', () => {
  cell.model.trusted = false;
  fill({ isTrusted: true });
  assert.equal(cell.model.trusted, true);
  fill({ isTrusted: true, refill: 'follow' });
  future.iopub('<b>', 31, 'display_data');
  assert.equal(cell.model.trusted, true);
});

for (const trusted of [true, false]) {
  test(`outputs of a file stay as trusted as they are when more is added: ${trusted}`, () => {
    cell.model.trusted = trusted;
    fill({ isTrusted: true, refill: 'append', held: { request: 'r', number: 12 } });
    future.iopub('<b>', 31, 'display_data');
    assert.equal(cell.model.trusted, trusted);
  });
}

test('a cell that was never run ends without a count', async () => {
  fill({ record: { request: 'r', count: null, asks: null } });
  await future.reply({ status: 'aborted' });
  assert.equal(cell.model.executionState, 'idle');
  assert.equal(cell.model.executionCount, null);
});

test('missing messages are shown where they are missing', async () => {
  fill({
    holes: [
      { count: 4, last: 9 },
      { count: 2, last: 13 },
      { count: 1, last: 19 }
    ]
  });
  for (const number of [10, 11, 14, 15]) {
    future.iopub(`${number}`, number);
  }
  assert.deepEqual(cell.texts, ['4 missing', '10', '11', '2 missing', '14', '15']);
  await future.reply({ status: 'ok', execution_count: 3 });
  assert.deepEqual(cell.texts.slice(6), ['1 missing']);
});

test('holes with nothing between them are shown as one', () => {
  fill({
    holes: [
      { count: 1, last: 9 },
      { count: 1, last: 11 },
      { count: 2, last: 14 }
    ]
  });
  future.iopub('15', 15);
  assert.deepEqual(cell.texts, ['4 missing', '15']);
});

test('what a cell has of lost messages stays, and nothing of it comes twice', () => {
  fill({
    refill: 'append',
    held: { request: 'r', number: 12 },
    holes: [{ count: 3, last: 15 }]
  });
  for (const number of [11, 12, 16]) {
    future.iopub(`${number}`, number);
  }
  assert.deepEqual(cell.texts, ['before', '3 missing', '16']);
  assert.equal(cell.model.executionState, 'running');
});

for (const [refill, count] of [
  ['refill', 5],
  ['append', 3]
]) {
  test(`what is lost while a cell is being filled is shown where it is: ${refill}`, () => {
    fill({ refill, held: { request: 'r', number: 12 }, holes: [{ count: 2, last: 32 }] });
    addHoles(future, [{ count: 5, last: 15 }]);
    future.iopub('16', 16);
    addHoles(future, [{ count: 4, last: 20 }]);
    future.iopub('17', 17);
    for (const number of [22, 33]) {
      future.iopub(`${number}`, number);
    }
    const shown = [`${count} missing`, '16', '17', '4 missing', '22', '2 missing', '33'];
    assert.deepEqual(cell.texts.slice(-7), shown);
    assert.equal(cell.texts.length, refill === 'append' ? 8 : 7);
  });
}

test('a complete cell is left as it is, and shows what is still said', () => {
  fill({ refill: 'follow' });
  assert.equal(changes, 0);
  assert.equal(cell.model.executionState, 'idle');
  future.iopub('from a thread', 30);
  assert.deepEqual(cell.texts, ['before', 'from a thread']);
});

test('only the question that waits is asked', () => {
  fill({ record: { request: 'r', count: 1, asks: 15 } });
  const ask = (prompt, number) =>
    future.onStdin(replayed({ channel: 'stdin', header: {}, content: { prompt } }, number));
  ask('answered', 12);
  ask('waits', 15);
  ask('later', 21);
  assert.deepEqual(cell.texts, ['waits', 'later']);
  assert.equal(dropped, 1);
});

test('a request that fills its cell already begins anew there', () => {
  fill({ holes: [{ count: 1, last: 11 }] });
  const handler = future.onIOPub;
  fill({ holes: [{ count: 2, last: 12 }] });
  assert.deepEqual(cell.texts, []);
  assert.equal(future.onIOPub, handler);
  future.iopub('a', 13);
  assert.deepEqual(cell.texts, ['2 missing', 'a']);
});

test('a request that is over is so again when all of its messages have come again', async () => {
  fill();
  future.iopub('a', 11);
  await future.reply({ status: 'ok', execution_count: 3 });
  fill({ holes: [{ count: 2, last: 14 }] });
  cell.model.executionCount = null;
  future.iopub('a', 11);
  assert.deepEqual(cell.texts, ['a']);
  assert.equal(cell.model.executionState, 'running');
  future.idle(15);
  assert.deepEqual(cell.texts, ['a', '2 missing']);
  assert.equal(cell.model.executionState, 'idle');
  assert.equal(cell.model.executionCount, 3);
});

test('of a request that was over before, messages are missing where they are', async () => {
  cell.outputArea.reattachFuture(future);
  await future.reply({ status: 'ok', execution_count: 3 });
  fill({ holes: [{ count: 2, last: 13 }] });
  await tick();
  assert.equal(cell.model.executionState, 'running');
  future.iopub('a', 11);
  future.iopub('b', 14);
  future.idle(15);
  assert.deepEqual(cell.texts, ['a', '2 missing', 'b']);
  assert.equal(cell.model.executionState, 'idle');
});

test('a cell that another request fills by now is left alone', async () => {
  fill();
  cell.outputArea.reattachFuture(new FakeFuture());
  await future.reply({ status: 'ok', execution_count: 3 });
  assert.equal(cell.model.executionState, 'running');
  assert.equal(cell.model.executionCount, 1);
});
