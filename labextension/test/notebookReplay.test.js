import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NotebookReplay } from '../lib/replay/notebookReplay.js';
import { SentCode } from '../lib/replay/sentCode.js';
import { sourceHash } from '../lib/replay/sourceHash.js';

const signal = () => ({ connect: () => undefined, disconnect: () => undefined });

function future(id) {
  return {
    msg: { header: { msg_id: id } },
    isDisposed: false,
    onIOPub: () => undefined,
    onStdin: () => undefined,
    registerMessageHook: () => undefined,
    done: new Promise(() => undefined)
  };
}

/** A notebook with one cell; its page has made `futures`, and told the stream of `adopted`. */
function notebook({ session = 'other', source = null } = {}) {
  const futures = [];
  const adopted = [];
  const cell = {
    model: {
      trusted: true,
      sharedModel: { transact: change => change(), getSource: () => '1' },
      clearExecution: () => undefined,
      deleteMetadata: () => undefined
    },
    outputArea: { future: null }
  };
  const kernel = {
    clientId: 'page',
    username: '',
    anyMessage: signal(),
    iopubMessage: signal(),
    sendShellMessage: message => {
      const made = future(message.header.msg_id);
      futures.push(made);
      return made;
    }
  };
  const stream = {
    sessionId: 'page',
    announced: signal(),
    adopt: (request, isNew) => adopted.push([request, isNew]),
    replay: (_, begin) => {
      const record = { request: 'r', cell: 'c', session, state: 'running', first: 1 };
      begin([{ ...record, last: 1, asks: null, source, held: false }], []);
      return Promise.resolve();
    }
  };
  const cells = {
    held: () => ({ c: null }),
    matching: () => () => 'c',
    widget: () => cell,
    began: () => undefined,
    filledBy: () => cell.outputArea.future?.msg.header.msg_id ?? null
  };
  const unsaved = { change: change => change(), ask: () => Promise.resolve() };
  const tab = { has: session => session === 'earlier', add: () => undefined };
  const marks = [];
  const earlier = { mark: (...mark) => marks.push(mark) };
  const gone = { tell: () => undefined };
  const sent = new SentCode(null);
  const replay = new NotebookReplay(kernel, stream, cells, unsaved, tab, sent, earlier, gone, null);
  return { replay, cell, futures, adopted, sent, marks };
}

test('a request that fills its cell already gets its messages again, and is not made again', async () => {
  const { replay, futures, adopted } = notebook();
  await replay.start();
  assert.deepEqual(adopted, [['r', true]]);
  await replay.start();
  assert.equal(futures.length, 1);
  assert.deepEqual(adopted.slice(1), [['r', false]]);
});

test('what another session ran is not trusted', async () => {
  const { replay, cell } = notebook();
  await replay.start();
  assert.equal(cell.model.trusted, false);
});

for (const [code, trusted] of [
  ['1', true],
  ['2', false]
]) {
  test(`what this tab ran is trusted while its cell is the same: ${trusted}`, async () => {
    const { replay, cell, sent } = notebook();
    sent.sent('r', sourceHash(code));
    await replay.start();
    assert.equal(cell.model.trusted, trusted);
  });
}

for (const [session, isMine] of [
  ['other', false],
  ['earlier', true]
]) {
  test(`a mark tells another page's version from an earlier one: ${session}`, async () => {
    const { replay, marks } = notebook({ session, source: sourceHash('2') });
    await replay.start();
    assert.deepEqual(marks, [['c', true, isMine]]);
  });
}
