import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NotebookReplay } from '../lib/replay/notebookReplay.js';

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
function notebook(status = 'busy') {
  const futures = [];
  const adopted = [];
  let announce;
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
    status,
    username: '',
    anyMessage: signal(),
    iopubMessage: signal(),
    sendShellMessage: message => {
      if (status === 'dead') {
        throw new Error('Kernel is dead');
      }
      const made = future(message.header.msg_id);
      futures.push(made);
      return made;
    }
  };
  const stream = {
    sessionId: 'page',
    announced: { ...signal(), connect: slot => (announce = slot) },
    adopt: (request, isNew) => adopted.push([request, isNew]),
    replay: (_, begin) => {
      const record = { request: 'r', cell: 'c', session: 'other', state: 'running', first: 1 };
      begin([{ ...record, last: 1, asks: null, source: null, held: false }], []);
      return Promise.resolve();
    }
  };
  const cells = {
    held: () => ({ c: null }),
    matching: () => () => 'c',
    widget: () => cell,
    began: () => undefined
  };
  const unsaved = { change: change => change(), ask: () => Promise.resolve() };
  const earlier = { mark: () => undefined };
  const gone = { tell: () => undefined };
  const replay = new NotebookReplay(kernel, stream, cells, unsaved, earlier, gone, null);
  return { replay, cell, futures, adopted, announce: record => announce(null, record) };
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

test('of a kernel that JupyterLab takes for dead nothing is adopted, and the cell is left alone', async () => {
  const { replay, cell, adopted, announce } = notebook('dead');
  await replay.start();
  announce({ request: 'next', cell: 'c', session: 'other', state: 'running' });
  assert.deepEqual(adopted, []);
  assert.equal(cell.model.trusted, true);
});
