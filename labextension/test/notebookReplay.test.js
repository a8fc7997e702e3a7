import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NotebookReplay } from '../lib/replay/notebookReplay.js';
import { isOfCell } from '../lib/replay/refills.js';
import { SentCode } from '../lib/replay/sentCode.js';
import { sourceHash } from '../lib/replay/sourceHash.js';
import { replayed } from '../lib/stream/numbered.js';
import { trans } from './trans.js';

const signal = () => {
  const slots = [];
  return {
    connect: slot => slots.push(slot),
    disconnect: () => undefined,
    emit: args => slots.forEach(slot => slot(null, args))
  };
};

function future(id) {
  const made = {
    msg: { header: { msg_id: id } },
    isDisposed: false,
    onIOPub: () => undefined,
    onStdin: () => undefined,
    registerMessageHook: hook => (made.hook = hook),
    done: new Promise(() => undefined)
  };
  return made;
}

/** A notebook with one cell; its page has made `futures`, and told the stream of `adopted`. */
function notebook({
  status = 'busy',
  held = null,
  since = held,
  session = 'other',
  source = null,
  ended = () => null,
  missing = [],
  later = [],
  meanwhile = () => undefined,
  isGone = false,
  ...more
} = {}) {
  let cleared = 0;
  const futures = [];
  const adopted = [];
  const shown = [];
  let announce;
  const cell = {
    model: {
      trusted: true,
      outputs: { add: output => shown.push(output) },
      sharedModel: { transact: change => change(), getSource: () => '1' },
      clearExecution: () => (cleared += 1),
      deleteMetadata: () => undefined
    },
    outputArea: { future: null, reattachFuture: made => (cell.outputArea.future = made) }
  };
  const kernel = {
    id: 'kernel',
    clientId: 'page',
    status,
    username: '',
    anyMessage: signal(),
    iopubMessage: signal(),
    disposed: signal(),
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
    limit: 1e6,
    announced: { ...signal(), connect: slot => (announce = slot) },
    over: signal(),
    adopt: (request, isNew) => adopted.push([request, isNew]),
    replay: (ask, begin, lacks) => {
      ask();
      held = since;
      meanwhile();
      const record = { request: 'r', cell: 'c', session, state: 'running', first: 1 };
      begin([{ ...record, last: 1, asks: null, source, held: false, ...more }], missing);
      later.forEach(lacks);
      return Promise.resolve();
    }
  };
  const cells = {
    held: () => ({ c: held }),
    matching: () => () => (isGone ? null : 'c'),
    widget: id => (isGone || id !== 'c' ? undefined : cell),
    takes: (id, record) =>
      cells.widget(id) !== undefined && isOfCell(record, cell.model.sharedModel.getSource(), held),
    began: () => undefined,
    filledBy: () => cell.outputArea.future?.msg.header.msg_id ?? null,
    cellOf: request => (cell.outputArea.future?.msg.header.msg_id === request ? 'c' : undefined)
  };
  const unsaved = { change: change => change(), ask: () => Promise.resolve() };
  const tab = { has: session => session === 'earlier', add: () => undefined };
  const marks = [];
  const forgotten = [];
  const earlier = { mark: (...mark) => marks.push(mark), forget: cell => forgotten.push(cell) };
  const gone = {
    added: [],
    live: [],
    forgotten: [],
    area: undefined,
    tell: () => undefined,
    add: (asking, newest, adopt, isLive) => {
      gone.added.push(asking);
      gone.live.push(isLive);
    },
    take: isThere => {
      const found = gone.added.filter(({ record }) => isThere(record));
      gone.added = gone.added.filter(asking => !found.includes(asking));
      return found.map(({ record }) => record.request);
    },
    forget: request => gone.forgotten.push(request),
    announced: () => gone.area
  };
  const sent = new SentCode(null);
  const replay = new NotebookReplay(
    kernel,
    stream,
    cells,
    unsaved,
    tab,
    sent,
    earlier,
    gone,
    ended,
    trans
  );
  const heard = record => announce(null, record);
  return {
    replay,
    kernel,
    stream,
    cell,
    futures,
    adopted,
    sent,
    marks,
    forgotten,
    gone,
    shown,
    announce: heard,
    cleared: () => cleared
  };
}

test('a request that fills its cell already gets its messages again, and is not made again', async () => {
  const { replay, futures, adopted } = notebook();
  await replay.start();
  assert.deepEqual(adopted, [['r', true]]);
  await replay.start();
  assert.equal(futures.length, 1);
  assert.deepEqual(adopted.slice(1), [['r', false]]);
});

test('of what the journal has lost a cell says only what it has not', async () => {
  const { replay, futures, shown, cleared } = notebook({
    held: { request: 'r', number: 5 },
    last: 20,
    missing: [
      [1, 3],
      [5, 12]
    ]
  });
  await replay.start();
  for (const number of [4, 13]) {
    futures[0].hook(replayed({ header: { msg_type: 'stream' } }, number));
  }
  assert.equal(cleared(), 0);
  assert.deepEqual(
    shown.map(({ data }) => data['text/plain']),
    ["[… 7 messages are missing here: the kernel's journal keeps 1 MB …]"]
  );
});

test('a cell says what the journal has lost of later parts of an answer, with the first one', async () => {
  const { replay, futures, shown } = notebook({
    last: 20,
    missing: [[3, 5]],
    later: [[[6, 12]], [[16, 17]]]
  });
  await replay.start();
  for (const number of [1, 13, 18]) {
    futures[0].hook(replayed({ header: { msg_type: 'stream' } }, number));
  }
  assert.deepEqual(
    shown.map(({ data }) => data['text/plain'].split(' ')[1]),
    ['10', '2']
  );
});

for (const [number, times] of [
  [5, 0],
  [6, 1]
]) {
  test(`a page that was cut off keeps what it has heard and the journal has lost: ${number}`, async () => {
    const held = { request: 'r', number: 5 };
    const { replay, cell, cleared } = notebook({
      session: 'page',
      held,
      // Of what has come since it asked it cannot tell which part of a joined text it has.
      since: { ...held, number },
      last: 20,
      missing: [[4, 4]]
    });
    cell.outputArea.future = future('r');
    await replay.start();
    assert.equal(cleared(), times);
  });
}

test('what another session ran is not trusted', async () => {
  const { replay, cell } = notebook();
  await replay.start();
  assert.equal(cell.model.trusted, false);
});

test('of a kernel that JupyterLab takes for dead nothing is adopted, and the cell is left alone', async () => {
  const { replay, cell, adopted, announce } = notebook({ status: 'dead' });
  await replay.start();
  announce({ request: 'next', cell: 'c', session: 'other', state: 'running' });
  assert.deepEqual(adopted, []);
  assert.equal(cell.model.trusted, true);
});

/** JupyterLab has sent a request that runs the cell. */
function send(kernel, id) {
  const header = { msg_id: id, msg_type: 'execute_request' };
  const msg = { header, metadata: { cellId: 'c' }, content: { code: '1' } };
  kernel.anyMessage.emit({ direction: 'send', msg });
}

test('what this page sent without a cursor is filled once the agent says that it has it', async () => {
  const { replay, kernel, adopted } = notebook({ session: 'page' });
  send(kernel, 'on its way');
  await replay.start();
  assert.deepEqual(adopted, [], 'it comes later than what the agent has');
  send(kernel, 'r');
  await replay.start();
  assert.deepEqual(adopted, [['r', true]]);
});

test('another request fills the cell when what this page sent without a cursor was answered', async () => {
  const { replay, kernel, adopted } = notebook();
  send(kernel, 'own');
  const header = { msg_type: 'execute_reply' };
  const msg = { header, parent_header: { msg_id: 'own' }, content: { status: 'ok' } };
  kernel.anyMessage.emit({ direction: 'recv', msg });
  await replay.start();
  assert.deepEqual(adopted, [['r', true]]);
});

test('a request is not filled into a cell that a later one of another kernel fills', async () => {
  const held = { request: 'later', number: 9, journal: 'other', sent: '2026-01-01T11:00:00Z' };
  const early = notebook({ sent: '2026-01-01T10:00:00Z', held });
  await early.replay.start();
  assert.equal(early.cleared(), 0);
  const late = notebook({ sent: '2026-01-01T12:00:00Z', held });
  await late.replay.start();
  assert.equal(late.cleared(), 1);
});

/** What an output area shows; the names of those that are disposed come into `gone`. */
function boxes(gone) {
  const item = (name, ...classes) => ({
    hasClass: one => classes.includes(one),
    dispose: () => gone.push(name)
  });
  return [
    item('text'),
    item('answered here', 'jp-OutputArea-stdin-item', 'jp-OutputArea-stdin-hiding'),
    item('question', 'jp-OutputArea-stdin-item')
  ];
}

function ask(kernel, request) {
  const header = { msg_type: 'input_request' };
  const msg = { header, parent_header: { msg_id: request }, content: {} };
  kernel.anyMessage.emit({ direction: 'recv', msg });
}

test('a cell that is gone asks only what was not answered before, and blocks no other cell', async () => {
  const { replay, kernel, gone } = notebook({ isGone: true, last: 9, asks: 12 });
  await replay.start();
  const [{ record, horizon, dropQuestion }] = gone.added;
  assert.deepEqual([record.request, horizon], ['r', 12]);
  kernel.hasPendingInput = true;
  dropQuestion();
  assert.equal(kernel.hasPendingInput, false);
});

test('a question of a cell that is gone goes when another page has answered it', async () => {
  const { replay, kernel, gone, announce } = notebook({ isGone: true, asks: 12 });
  await replay.start();
  ask(kernel, 'r');
  kernel.hasPendingInput = true;
  const disposed = [];
  gone.area = { widgets: boxes(disposed) };
  announce({ request: 'r', cell: 'c', session: 'other', state: 'running', asks: null });
  assert.deepEqual(disposed, ['question']);
  assert.equal(kernel.hasPendingInput, false);
});

test('a cell that is in the notebook again is not among those that are gone', async () => {
  const { replay, gone } = notebook();
  await replay.start();
  assert.deepEqual([gone.added, gone.forgotten], [[], ['r']]);
});

test('a question goes when another page has answered it, and no box that goes by itself', async () => {
  const { replay, kernel, cell, announce } = notebook();
  await replay.start();
  const gone = [];
  cell.outputArea.widgets = boxes(gone);
  kernel.hasPendingInput = true;
  announce({ request: 'r', cell: 'c', session: 'page', state: 'running', asks: null });
  assert.deepEqual(gone, [], 'nothing was asked in this request');
  ask(kernel, 'r');
  announce({ request: 'r', cell: 'c', session: 'page', state: 'running', asks: 7 });
  assert.ok(kernel.hasPendingInput);
  announce({ request: 'r', cell: 'c', session: 'page', state: 'running', asks: null });
  assert.deepEqual(gone, ['question']);
  assert.equal(kernel.hasPendingInput, false);
});

test('a future that JupyterLab brings back too late is made anew, and not disposed', async () => {
  const { replay, cell, futures, adopted } = notebook();
  await replay.start();
  const early = future('r');
  cell.outputArea.future = early;
  let detached = 0;
  cell.outputArea.detachFuture = () => {
    detached += 1;
    cell.outputArea.future = null;
  };
  replay.fillLost();
  await undefined;
  assert.equal(detached, 1);
  assert.deepEqual(adopted, [
    ['r', true],
    ['r', true]
  ]);
  assert.equal(cell.outputArea.future, futures[1]);
  replay.fillLost();
  assert.equal(futures.length, 2);
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
    const held = { request: 'r', number: 0 };
    const { replay, marks } = notebook({ session, held, source: sourceHash('2') });
    await replay.start();
    assert.deepEqual(marks, [['c', sourceHash('2'), '1', isMine]]);
  });
}

for (const held of [null, { request: 'own', number: 5 }]) {
  test(`what another page ran under the cell's id is told of, and fills it not: ${held?.request}`, async () => {
    const page = notebook({ held, source: sourceHash('2') });
    const running = held && future('own');
    page.cell.outputArea.future = running;
    await page.replay.start();
    const live = { request: 'live', cell: 'c', session: 'other', state: 'queued', asks: null };
    page.announce({ ...live, source: sourceHash('3') });
    page.announce({ ...live, request: 'elsewhere', cell: 'not here', source: sourceHash('3') });
    assert.deepEqual(
      page.gone.added.map(({ record }) => record.request),
      ['r', 'live']
    );
    assert.deepEqual(page.gone.live, [false, true]);
    assert.equal(page.cell.outputArea.future, running);
    assert.deepEqual([page.adopted, page.cleared(), page.marks], [[], 0, []]);
  });
}

test('what another page ran fills its cell once the notebook has that code', async () => {
  const page = notebook({ source: sourceHash('2') });
  await page.replay.start();
  page.replay.fillLost();
  assert.deepEqual(page.adopted, []);
  page.cell.model.sharedModel.getSource = () => '2';
  page.replay.fillLost();
  await undefined;
  assert.deepEqual(page.adopted, [['r', true]]);
  assert.deepEqual(page.gone.added, []);
});

/** The kernel runs a request that has been sent to it. */
function begin(kernel, id) {
  const msg = { header: { msg_type: 'execute_input' }, parent_header: { msg_id: id } };
  kernel.anyMessage.emit({ direction: 'recv', msg });
}

for (const [reason, runs, text] of [
  ['out of memory', true, 'KernelDied: out of memory'],
  ['', true, 'KernelDied: the kernel ended while it ran this cell'],
  ['out of memory', false, "Not run: the kernel ended before this cell's turn.\n"],
  ['the kernel was shut down', true, 'The kernel was shut down.\n'],
  ['the kernel was shut down', false, undefined],
  ['somebody else has shut the kernel down', true, 'The kernel was shut down.\n'],
  [
    'somebody else has shut the kernel down',
    false,
    "Not run: the kernel ended before this cell's turn.\n"
  ]
]) {
  test(`a cell says how its kernel ended if nobody else will: ${reason}, runs ${runs}`, async () => {
    const { replay, kernel, cell, shown } = notebook({ ended: () => reason });
    await replay.start();
    if (runs) {
      begin(kernel, 'r');
    }
    kernel.disposed.emit();
    kernel.disposed.emit();
    assert.deepEqual(
      shown.map(output => output.text ?? output.traceback.join()),
      text === undefined ? [] : [text]
    );
    assert.equal(cell.model.executionState, 'idle');
  });
}

test('a cell that had ended says nothing of its kernel, also if nobody has announced that', async () => {
  const { replay, kernel, cell, shown } = notebook({ session: 'page', ended: () => '' });
  send(kernel, 'own');
  cell.outputArea.future = { ...future('own'), done: Promise.resolve() };
  begin(kernel, 'own');
  const header = { msg_type: 'execute_reply' };
  const msg = { header, parent_header: { msg_id: 'own' }, content: { status: 'ok' } };
  kernel.anyMessage.emit({ direction: 'recv', msg });
  await Promise.resolve();
  kernel.disposed.emit();
  replay.end();
  assert.deepEqual(shown, []);
});

for (const [reason, text] of [
  ['the kernel was shut down', []],
  [
    'somebody else has shut the kernel down',
    ["Not run: the kernel ended before this cell's turn.\n"]
  ]
]) {
  test(`a cell says once that it did not run, if others ended its kernel: ${reason}`, async () => {
    const { kernel, stream, cell, shown } = notebook({ session: 'page', ended: () => reason });
    send(kernel, 'own');
    cell.outputArea.future = { ...future('own'), done: Promise.resolve() };
    const header = { msg_type: 'execute_reply' };
    const content = { status: 'aborted', ename: 'KernelDied', evalue: 'the kernel was shut down' };
    const msg = { header, parent_header: { msg_id: 'own' }, content };
    kernel.anyMessage.emit({ direction: 'recv', msg });
    await Promise.resolve();
    assert.deepEqual(shown, []);
    stream.over.emit();
    kernel.disposed.emit();
    assert.deepEqual(
      shown.map(({ text }) => text),
      text
    );
  });
}

test('a cell says nothing of a kernel that its page only lets go', async () => {
  const { replay, kernel, cell, shown } = notebook();
  await replay.start();
  begin(kernel, 'r');
  kernel.disposed.emit();
  replay.replacedBy(kernel.id);
  assert.deepEqual(shown, []);
  assert.equal(cell.model.executionState, 'running');
});

for (const runs of [true, false]) {
  test(`a cell says that another kernel was chosen while it ran: ${runs}`, async () => {
    const { replay, kernel, cell, shown } = notebook();
    await replay.start();
    if (runs) {
      begin(kernel, 'r');
    }
    kernel.disposed.emit();
    replay.replacedBy('another');
    assert.deepEqual(
      shown.map(({ text }) => text),
      runs ? ['Another kernel was chosen while this cell ran.\n'] : []
    );
    assert.equal(cell.model.executionState, 'idle');
  });
}

test('a cell that this page runs again is not of an earlier version any more', async () => {
  const { kernel, forgotten } = notebook();
  send(kernel, 'own');
  assert.deepEqual(forgotten, ['c']);
});

for (const isAnnounced of [true, false]) {
  test(`a cell that is run while the agent answers stays this page's own: ${isAnnounced}`, async () => {
    const page = notebook({
      meanwhile: () => {
        send(page.kernel, 'own');
        page.cell.outputArea.future = future('own');
        if (isAnnounced) {
          page.announce({
            request: 'own',
            cell: 'c',
            session: 'page',
            state: 'queued',
            asks: null
          });
        }
        begin(page.kernel, 'own');
      }
    });
    await page.replay.start();
    // The answer has an earlier request of the cell.
    assert.equal(page.cell.outputArea.future.msg.header.msg_id, 'own');
    assert.deepEqual(page.adopted, []);
    page.kernel.disposed.emit();
    page.replay.replacedBy('another');
    assert.deepEqual(
      page.shown.map(({ text }) => text),
      ['Another kernel was chosen while this cell ran.\n']
    );
  });
}
