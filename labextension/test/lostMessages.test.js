import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KernelShellFutureHandler } from '@jupyterlab/services/lib/kernel/future.js';
import { Signal } from '@lumino/signaling';

import { futureIn } from '../lib/replay/adoptedRequest.js';
import { HeldOutputs } from '../lib/replay/heldOutputs.js';
import { NotebookReplay } from '../lib/replay/notebookReplay.js';
import { SentCode } from '../lib/replay/sentCode.js';
import { FakePage, message, print, request, tick, until } from './fakeFleet.js';
import { LossyFleet } from './lossyFleet.js';
import { trans } from './trans.js';

const LINES = 24;
const STEPS = 60;
/** How many orders of what can happen are tried. */
const SEEDS = 40;
const MISSING = /^\[… (\d+) messages? (?:is|are) missing here/;

/** No cell is gone here. */
const NO_GONE = {
  add: () => undefined,
  take: () => [],
  forget: () => undefined,
  announced: () => undefined,
  tell: () => undefined
};

/** Numbers from 0 to 1 that are the same each time (mulberry32). */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A cell as JupyterLab's, whose outputs are texts: numbers of lines, and what stands for holes. */
class Cell {
  constructor() {
    const outputs = (this.outputs = []);
    this.model = {
      outputs: { add: ({ data }) => outputs.push(data['text/plain']) },
      sharedModel: { transact: change => change(), getSource: () => '1' },
      clearExecution: () => {
        outputs.splice(0);
        this.model.executionCount = null;
      },
      deleteMetadata: () => undefined
    };
    this.outputArea = {
      _future: null,
      get future() {
        return this._future;
      },
      set future(value) {
        outputs.splice(0);
        this.reattachFuture(value);
      },
      reattachFuture(value) {
        this._future = value;
        value.onIOPub = ({ content }) => content.text && outputs.push(content.text);
      }
    };
  }
}

/** A page with a notebook of two cells, which it runs. */
class Page extends FakePage {
  cells = { a: new Cell(), b: new Cell() };
  futures = new Map();
  handled = Promise.resolve();

  constructor(fleet, session) {
    super(fleet, { session });
    this.kernel = {
      id: 'kernel-1',
      clientId: this.session,
      status: 'busy',
      username: '',
      anyMessage: new Signal({}),
      iopubMessage: new Signal({}),
      disposed: new Signal({}),
      sendShellMessage: what => this._future(what)
    };
    const held = new HeldOutputs();
    const filledBy = id => futureIn(this.cells[id].outputArea)?.msg.header.msg_id ?? null;
    const cells = {
      held: () => Object.fromEntries(Object.keys(this.cells).map(id => [id, held.of(id)])),
      matching: () => record => record.cell,
      takes: () => true,
      widget: id => this.cells[id],
      began: (id, ...of) => held.began(id, ...of),
      cellOf: of => held.cellOf(of),
      filledBy,
      handled: said => held.handled(said, (id, of) => filledBy(id) === of)
    };
    this.replay = new NotebookReplay(
      this.kernel,
      this.stream,
      cells,
      { change: change => change(), ask: () => Promise.resolve() },
      { has: () => false, add: () => undefined },
      new SentCode(null),
      { mark: () => undefined, forget: () => undefined },
      NO_GONE,
      () => null,
      trans
    );
    this.socket.onmessage = ({ data }) => {
      this.handled = this.handled.then(() => this._handle(data));
    };
  }

  run(id) {
    const what = request(this.session);
    what.metadata = { cellId: id };
    const cell = this.cells[id];
    cell.outputArea.future = this._future(what);
    void cell.outputArea.future.done.then(({ content }) => {
      cell.model.executionCount = content.execution_count;
    });
    this.kernel.anyMessage.emit({ msg: what, direction: 'send' });
    return what;
  }

  _future(what) {
    const { msg_id: id } = what.header;
    const future = new KernelShellFutureHandler(() => undefined, what, true, false, this.kernel);
    this.futures.set(id, future);
    this.send(what);
    return future;
  }

  async _handle(msg) {
    await this.futures.get(msg.parent_header?.msg_id)?.handleMsg(msg);
    this.kernel.anyMessage.emit({ msg, direction: 'recv' });
    if (msg.channel === 'iopub') {
      this.kernel.iopubMessage.emit(msg);
    }
  }
}

const status = (of, state) => message('status', { execution_state: state }, of.header);
const reply = (of, count) =>
  message('execute_reply', { status: 'ok', execution_count: count }, of.header, 'shell');

/** What a kernel says of two cells, in order; the replies come when the agent reads them. */
function saidOf(first, second, random) {
  const lines = Array.from({ length: LINES }, (_, at) => print(`${at} `, first));
  const said = [
    status(first, 'busy'),
    ...lines,
    status(first, 'idle'),
    status(second, 'busy'),
    print('next', second),
    status(second, 'idle')
  ];
  let at = 1;
  for (const [count, of] of [first, second].entries()) {
    at += Math.floor(random() * (said.length + 1 - at));
    said.splice(at, 0, reply(of, count + 1));
  }
  return said;
}

/** How many of the lines before `end` are neither there nor counted, where they are. */
function unaccounted(outputs, end) {
  let next = end;
  for (const output of [...outputs].reverse()) {
    const hole = MISSING.exec(output);
    if (hole) {
      next -= Number(hole[1]);
      continue;
    }
    for (const line of output.trim().split(' ').reverse()) {
      next -= 1;
      assert.equal(Number(line), next, outputs.join('|'));
    }
  }
  return next;
}

async function opened(fleet, session) {
  const page = new Page(fleet, session);
  await until(() => page.stream.state.is === 'connected');
  return page;
}

/**
 * Have the page get all that there is; `meanwhile` is called after each message. What the page says in
 * place of lost messages comes behind them: `isOver` says that it is there.
 */
async function finish(fleet, page, meanwhile = () => undefined, isOver = () => true) {
  fleet.answers = 'fleet.v1';
  const isDone = () => fleet.isSent && page.stream._incoming.acknowledged === fleet.last;
  for (let tries = 0; !isDone(); tries += 1) {
    assert.ok(tries < 5000, 'it goes on');
    page.stream.retryNow();
    if (fleet.isAsked) {
      fleet.answer();
    }
    fleet.deliver(1);
    meanwhile();
    await tick();
  }
  await page.stream._incoming.flush();
  await page.handled;
  await tick();
  await until(isOver);
  page.leave();
}

/** A page that has run two cells. */
async function running(fleet) {
  const page = await opened(fleet, 'page');
  const started = page.replay.start();
  await until(() => fleet.isAsked);
  fleet.answer();
  fleet.deliver(9);
  await started;
  const sent = [page.run('a'), page.run('b')];
  await until(() => fleet.ran.length === 2);
  return { page, sent };
}

async function scenario(seed, log) {
  const random = randomFrom(seed);
  const below = most => Math.floor(random() * most);
  const fleet = new LossyFleet();
  fleet.partLength = 2 + below(8);
  const { page, sent } = await running(fleet);
  const coming = saidOf(...sent, random);
  const lines = [];
  // What the disk took before it was full is never lost.
  const kept = below(2) * (2 + below(6));
  const say = () => {
    const next = coming.shift();
    const number = next && fleet.say(next);
    // Oldest first: without a disk also what says that the cell has begun.
    if (next?.content.text || (next && !kept && !lines.length)) {
      lines.push(number);
    }
  };
  const actions = {
    say: () => Array.from({ length: 1 + below(5) }, say),
    deliver: () => fleet.deliver(1 + below(6)),
    lose: () =>
      lines
        .slice(kept)
        .filter(number => !fleet.isLost(number))
        .slice(0, 1 + below(4))
        .forEach(number => fleet.lose(number)),
    cut: () => {
      fleet.answers = 1006;
      fleet.cut();
    },
    back: () => {
      fleet.answers = 'fleet.v1';
      page.stream.retryNow();
    },
    answer: () => fleet.isAsked && fleet.answer(),
    wait: () => tick(below(8))
  };
  const names = ['say', 'say', 'deliver', 'deliver', 'deliver', 'back', 'answer', 'wait', 'wait'];
  for (let step = 0; step < STEPS; step += 1) {
    const rare = below(12);
    const name = rare === 0 ? 'cut' : rare === 1 ? 'lose' : names[below(names.length)];
    log.push(name);
    await actions[name]();
  }
  log.push('end');
  while (coming.length) {
    say();
  }
  await finish(fleet, page);
  // Whoever was not there at all.
  const other = await opened(fleet, 'other');
  void other.replay.start();
  await until(() => fleet.isAsked);
  await finish(fleet, other, () => below(3) || actions.lose());
  return [page.cells, other.cells];
}

test('a cell ends whose reply comes last, and after a gap', async () => {
  const fleet = new LossyFleet();
  const { page, sent } = await running(fleet);
  const [first, second] = sent;
  for (const said of [status(first, 'busy'), print('0 ', first), status(first, 'idle')]) {
    fleet.say(said);
  }
  fleet.deliver(99);
  await until(() => page.stream._incoming.acknowledged === fleet.last);
  fleet.cut();
  fleet.say(reply(first, 1));
  fleet.say(status(second, 'busy'));
  fleet.lose(fleet.say(print('next', second)));
  fleet.say(status(second, 'idle'));
  fleet.say(reply(second, 2));
  await finish(fleet, page);
  const { a, b } = page.cells;
  assert.deepEqual(a.outputs, ['0 ']);
  assert.deepEqual([a.model.executionCount, b.model.executionCount], [1, 2]);
  assert.match(b.outputs.join('|'), /^\[… 1 message is missing[^|]*$/);
});

for (const lost of ['busy 0 idle reply', '0 idle', 'reply', 'idle reply']) {
  test(`a cell ends whose journal has lost ${lost}`, async () => {
    const fleet = new LossyFleet();
    const { page, sent } = await running(fleet);
    const [first, second] = sent;
    const numbers = {
      busy: fleet.say(status(first, 'busy')),
      0: fleet.say(print('0 ', first)),
      idle: fleet.say(status(first, 'idle')),
      reply: fleet.say(reply(first, 1))
    };
    fleet.say(status(second, 'busy'));
    await finish(fleet, page);
    lost.split(' ').forEach(name => fleet.lose(numbers[name]));
    const other = await opened(fleet, 'other');
    void other.replay.start();
    await until(() => fleet.isAsked);
    const { a, b } = other.cells;
    await finish(fleet, other, undefined, () => a.model.executionState === 'idle');
    assert.equal(a.model.executionCount, 1);
    // The reply is none of the messages that are shown.
    const holes = a.outputs.flatMap(output => MISSING.exec(output)?.[1] ?? []);
    const shown = lost.split(' ').filter(name => name !== 'reply').length;
    assert.deepEqual(holes, shown ? [`${shown}`] : []);
    assert.equal(a.outputs.includes('0 '), !lost.includes('0'));
    assert.equal(b.model.executionState, 'running');
  });
}

for (let seed = 1; seed <= SEEDS; seed += 1) {
  test(`lines are there or counted, whenever they are lost: ${seed}`, async () => {
    const log = [];
    const pages = await scenario(seed, log);
    for (const { a, b } of pages) {
      const what = `${a.outputs.join('|')} after ${log.join(' ')}`;
      // It may have begun with a message that is no line.
      assert.ok([-1, 0].includes(unaccounted(a.outputs, LINES)), what);
      assert.match(b.outputs.join('|'), /^(next|\[… 1 message is missing[^|]*)$/);
      assert.deepEqual([a.model.executionCount, b.model.executionCount], [1, 2]);
      assert.ok([a, b].every(({ model }) => model.executionState !== 'running'));
    }
  });
}
