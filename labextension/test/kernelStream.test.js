import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { notRun, outputOfDeath } from '../lib/outputs/kernelDied.js';
import { FleetSocket } from '../lib/stream/fleetSocket.js';
import { numberOf } from '../lib/stream/numbered.js';
import {
  FakeFleet,
  FakePage,
  FakeStorage,
  message,
  print,
  request,
  tick,
  until
} from './fakeFleet.js';

const pages = [];

async function openPage(fleet, options) {
  const page = new FakePage(fleet, options);
  pages.push(page);
  return page;
}

async function connected(fleet = new FakeFleet(), options = {}) {
  const page = await openPage(fleet, options);
  await until(() => page.stream.state.is === 'connected');
  return { fleet, page };
}

afterEach(() => pages.splice(0).forEach(page => page.leave()));

test('a stream is open for JupyterLab, which speaks v1 with it', async () => {
  const { fleet, page } = await connected();
  assert.deepEqual(page.events, ['open']);
  assert.equal(page.socket.protocol, 'v1.kernel.websocket.jupyter.org');
  assert.equal(fleet.queries[0].session_id, 'page');
  assert.equal(fleet.queries[0].cursor, '1');
  assert.equal(fleet.queries[0].fleet_user, 'ann');
  assert.match(fleet.queries[0].stream, /^[0-9a-f]{32}$/);
  assert.equal(page.stream.journal, fleet.journal);
  const cell = page.send(request());
  fleet.say(print('hello', cell));
  await until(() => page.printed === 'hello');
  assert.deepEqual(fleet.ran, [cell.header.msg_id]);
});

test('a cut is hidden: what was said and sent meanwhile arrives once', async () => {
  const { fleet, page } = await connected();
  const cell = page.send(request());
  fleet.say(print('1 ', cell));
  fleet.answers = 1006;
  fleet.cut();
  fleet.say(print('2 ', cell));
  const next = page.send(request());
  await until(() => page.stream.state.is === 'cut');
  assert.equal(page.stream.state.why, 'network');
  fleet.answers = 'fleet.v1';
  await until(() => page.printed === '1 2 ');
  assert.deepEqual(fleet.ran, [cell.header.msg_id, next.header.msg_id]);
  assert.deepEqual(page.events, ['open']);
  assert.equal(fleet.queries.at(-1).received, '1');
  assert.equal(fleet.queries.at(-1).journal, fleet.journal);
  assert.equal(fleet.queries.at(-1).stream, fleet.queries[0].stream);
});

test('what the agent took is not run again when its acknowledgment is lost', async () => {
  const { fleet, page } = await connected();
  fleet.acknowledges = false;
  const cells = [page.send(request()), page.send(request())];
  fleet.cut();
  await until(() => page.stream.state.is === 'connected' && fleet.open.length === 1);
  cells.push(page.send(request()));
  assert.deepEqual(
    fleet.ran,
    cells.map(({ header }) => header.msg_id)
  );
});

test('a number that has come is not handed over again', async () => {
  const { fleet, page } = await connected();
  const cell = page.send(request());
  const number = fleet.say(print('once', cell));
  fleet._send(fleet.open[0], number);
  fleet.say(print(' more', cell));
  await until(() => page.printed.includes('more'));
  assert.equal(page.printed, 'once more');
});

test('only what has been handed over is acknowledged, of joined messages the last', async () => {
  const { fleet, page } = await connected();
  const cell = page.send(request());
  for (let line = 0; line < 400; line += 1) {
    fleet.say(print(`${line}\n`, cell));
  }
  assert.ok(page.stream._incoming.acknowledged < 400);
  const seen = [];
  while (!page.printed.endsWith('399\n')) {
    seen.push(page.stream._incoming.acknowledged, page.printed.split('\n').length - 1);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
  for (let at = 0; at < seen.length; at += 2) {
    assert.ok(seen[at] <= seen[at + 1], `${seen[at]} acknowledged with ${seen[at + 1]} lines`);
  }
  await until(() => fleet.open[0].acknowledged === 400);
});

test('another agent is not sent what an earlier one may have run', async () => {
  const { fleet, page } = await connected();
  fleet.say(print('old', request('other')));
  fleet.acknowledges = false;
  const cell = page.send(request());
  fleet.renew();
  fleet.acknowledges = true;
  await until(() => page.stream.journal === fleet.journal);
  await until(() => page.types('execute_reply').length === 1);
  assert.equal(page.types('execute_reply')[0].content.status, 'aborted');
  assert.equal(page.types('execute_reply')[0].parent_header.msg_id, cell.header.msg_id);
  const next = page.send(request());
  fleet.say(print('new', next));
  await until(() => page.printed.endsWith('new'));
  assert.deepEqual(fleet.ran, [cell.header.msg_id, next.header.msg_id]);
});

test('what is sent to another agent is kept over cuts as before', async () => {
  const { fleet, page } = await connected();
  const first = page.send(request());
  fleet.renew();
  await until(() => page.stream.journal === fleet.journal);
  const cells = [first, page.send(request()), page.send(request())];
  await until(() => fleet.ran.length === 3);
  fleet.answers = 1006;
  fleet.cut();
  cells.push(page.send(request()));
  fleet.answers = 'fleet.v1';
  await until(() => fleet.ran.length === 4, 'what was sent in the cut runs');
  assert.deepEqual(
    fleet.ran,
    cells.map(({ header }) => header.msg_id)
  );
  assert.deepEqual(page.types('execute_reply'), []);
});

test('a restart by the user drops what the kernel does not have yet', async () => {
  const { fleet, page } = await connected();
  fleet.answers = 1006;
  fleet.cut();
  page.send(request());
  page.streams.dropPending('kernel-1');
  fleet.answers = 'fleet.v1';
  page.stream.retryNow();
  await until(() => page.stream.state.is === 'connected');
  const after = page.send(request());
  assert.deepEqual(fleet.ran, [after.header.msg_id]);
  assert.notEqual(fleet.queries.at(-1).stream, fleet.queries[0].stream);
});

test("JupyterLab's next socket is open at once, and hears what came meanwhile", async () => {
  const { fleet, page } = await connected();
  page.socket.close();
  fleet.say(message('status', { execution_state: 'starting' }));
  page.connect();
  await until(() => page.events.length === 2);
  await until(() => page.types('status').length);
  assert.equal(fleet.sockets.length, 1);
});

test('what was sent last is delivered after JupyterLab has let the kernel go', async () => {
  const { fleet, page } = await connected();
  fleet.answers = 1006;
  fleet.cut();
  const cell = page.send(request());
  page.socket.close();
  fleet.answers = 'fleet.v1';
  await until(() => fleet.ran.includes(cell.header.msg_id));
  await until(() => page.stream.state.is === 'ended');
  assert.equal(fleet.open.length, 0);
  assert.deepEqual([...page.streams], []);
});

test('a reloaded page delivers what the one before had not, once, and only then its own', async () => {
  const storage = new FakeStorage();
  const { fleet, page } = await connected(new FakeFleet(), { storage });
  fleet.acknowledges = false;
  const cells = [page.send(request())];
  fleet.answers = 1006;
  fleet.cut();
  void page.stream.replay(
    () => ({}),
    () => undefined
  );
  cells.push(page.send(request()));
  page.leave();
  fleet.answers = 'fleet.v1';
  fleet.acknowledges = true;
  const { page: next } = await connected(fleet, { storage, session: 'next' });
  cells.push(next.send(request('next')));
  assert.deepEqual(
    fleet.ran,
    cells.map(({ header }) => header.msg_id)
  );
  assert.deepEqual(fleet.asked, []);
  const [delivery, own] = fleet.queries.slice(-2);
  assert.equal(delivery.session_id, 'page');
  assert.equal(delivery.stream, fleet.queries[0].stream);
  assert.equal(own.session_id, 'next');
  await until(() => storage.length === 1, 'nothing but the journal is kept');
});

test('what a reloaded page could not keep leaves no hole, and answers are not kept', async () => {
  const storage = new FakeStorage();
  const { fleet, page } = await connected(new FakeFleet(), { storage });
  fleet.acknowledges = false;
  fleet.answers = 1006;
  fleet.cut();
  const cells = [page.send(request())];
  const { setItem } = FakeStorage.prototype;
  storage.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  page.send(request());
  storage.setItem = setItem;
  page.send(message('input_reply', { value: 'a password' }, {}, 'stdin', 'page'));
  cells.push(page.send(request()));
  page.leave();
  const kept = Array.from({ length: storage.length }, (_, at) => storage.getItem(storage.key(at)));
  assert.ok(!kept.join().includes('a password'));
  fleet.answers = 'fleet.v1';
  fleet.acknowledges = true;
  await connected(fleet, { storage, session: 'next' });
  assert.deepEqual(
    fleet.ran,
    cells.map(({ header }) => header.msg_id)
  );
});

test('a hole before all that a reloaded page has kept is filled, too', async () => {
  const storage = new FakeStorage();
  const { fleet, page } = await connected(new FakeFleet(), { storage });
  const cells = [page.send(request())];
  await until(() => fleet.ran.length === 1);
  fleet.answers = 1006;
  fleet.cut();
  storage.setItem = () => {
    throw new DOMException('full', 'QuotaExceededError');
  };
  page.send(request());
  storage.setItem = FakeStorage.prototype.setItem;
  cells.push(page.send(request()));
  await tick(1100);
  page.leave();
  fleet.answers = 'fleet.v1';
  await connected(fleet, { storage, session: 'next' });
  assert.deepEqual(
    fleet.ran,
    cells.map(({ header }) => header.msg_id)
  );
});

test('two streams that are served and cut do not wake each other without a pause', async () => {
  const { fleet, page } = await connected();
  const url = page.url.replace('kernel-1', 'kernel-2');
  const other = page.streams.open(url, 'kernel-2', 'page');
  const socket = new FleetSocket(url, ['v1.kernel.websocket.jupyter.org'], other);
  await until(() => other.state.is === 'connected');
  const begin = fleet._begin.bind(fleet);
  fleet._begin = wire => {
    begin(wire);
    setTimeout(() => wire.end(1012, ''), 0);
  };
  fleet.cut();
  const before = fleet.queries.length;
  await tick(1500);
  assert.ok(fleet.queries.length - before < 50, `${fleet.queries.length - before} connections`);
  socket.close();
  other._connector.stop();
});

test('a reloaded page delivers nothing to another agent', async () => {
  const storage = new FakeStorage();
  const { fleet, page } = await connected(new FakeFleet(), { storage });
  fleet.answers = 1006;
  fleet.cut();
  page.send(request());
  page.leave();
  fleet.answers = 'fleet.v1';
  fleet.renew();
  const { page: next } = await connected(fleet, { storage, session: 'next' });
  assert.deepEqual(fleet.ran, []);
  assert.equal(next.stream.journal, fleet.journal);
});

test('an agent of the version before is spoken to without a cursor', async () => {
  const fleet = new FakeFleet();
  fleet.launched = false;
  const page = await openPage(fleet);
  await until(() => page.events.includes('open'));
  const info = page.send(request('page', 'kernel_info_request'));
  const answered = page.stream.replay(
    () => ({ cell: null }),
    () => assert.fail('nothing is asked')
  );
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  fleet.cut(4406);
  await until(() => page.stream.state.is === 'connected');
  await answered;
  assert.equal(page.stream.journal, null);
  assert.deepEqual(
    fleet.taken.map(({ header }) => header.msg_id),
    [info.header.msg_id]
  );
  assert.deepEqual(fleet.sockets.at(-1).protocols, ['v1.kernel.websocket.jupyter.org']);
  assert.equal(fleet.queries.at(-1).stream, undefined);
  assert.deepEqual(page.events, ['open']);
  const cell = page.send(request());
  fleet.say(print('plain', cell));
  await until(() => page.printed === 'plain');
});

test('with a lab of the version before each connection is a socket of JupyterLab', async () => {
  const fleet = new FakeFleet();
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  const { page } = await connected(fleet);
  const cell = page.send(request());
  fleet.say(print('1', cell));
  await until(() => page.printed === '1');
  fleet.answers = 'fleet.v1';
  fleet.cut(1012);
  await until(() => page.events.includes(1012));
  page.connect();
  await until(() => page.stream.journal === fleet.journal, 'the next lab knows cursors');
});

test('what was said between a lab of the version before and one of this comes after all', async () => {
  const fleet = new FakeFleet();
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  const { page } = await connected(fleet);
  const cell = page.send(request());
  let begun = 0;
  const begin = () => {
    begun += 1;
    page.heard = page.heard.filter(({ header }) => header.msg_type !== 'stream');
    page.stream.adopt(cell.header.msg_id, false);
  };
  await page.stream.replay(() => ({ cell: { request: cell.header.msg_id, number: 0 } }), begin);
  const numbers = [fleet.say(print('1 ', cell))];
  await until(() => page.printed === '1 ');
  fleet.answers = 'fleet.v1';
  fleet.cut(1012);
  await until(() => page.events.includes(1012));
  numbers.push(fleet.say(print('2 ', cell)));
  page.connect();
  await until(() => fleet.asked.length === 1, 'the question is asked');
  assert.equal(begun, 0);
  numbers.push(fleet.say(print('3 ', cell)));
  fleet.replay([record(cell, 'running')], numbers);
  // Comes while the answer waits for JupyterLab.
  fleet.say(print('4', cell));
  await until(() => begun === 1 && page.printed.endsWith('4'));
  assert.equal(page.printed, '1 2 3 4');
  fleet.cut();
  await until(() => fleet.open.length === 1 && page.stream.state.is === 'connected');
  assert.equal(fleet.asked.length, 1, 'a cut with a cursor needs no question');
});

test('a page knows what its kernel lost before it was there, until something is run', async () => {
  const { fleet, page } = await connected();
  let changes = 0;
  page.stream.stateChanged.connect(() => (changes += 1));
  const answered = page.stream.replay(
    () => ({}),
    () => undefined
  );
  await until(() => fleet.asked.length === 1);
  const lost = { process: 1, reason: 'exit code 7' };
  fleet.answer({ index: [], restarted: lost }, []);
  await answered;
  assert.deepEqual(page.stream.lost, lost);
  assert.equal(changes, 1);
  fleet.say(message('request', { request: 'late', process: 1, state: 'done' }, {}, 'fleet'));
  fleet.say(message('request', { request: 'next', process: 2, state: 'queued' }, {}, 'fleet'));
  await until(() => page.stream.lost === null);
  assert.equal(changes, 2);
});

for (const isOwn of [false, true]) {
  test(`a page that has asked already is told of a restart: its own ${isOwn}`, async () => {
    const { fleet, page } = await connected();
    const answered = page.stream.replay(
      () => ({}),
      () => undefined
    );
    await until(() => fleet.asked.length === 1);
    fleet.answer({ index: [], restarted: null }, []);
    await answered;
    if (isOwn) {
      page.streams.dropPending('kernel-1');
    }
    const tell = restarted => fleet.say(message('restarted', { restarted }, {}, 'fleet', ''));
    const lost = { process: 1, reason: 'the kernel was restarted' };
    tell(lost);
    await until(() => page.stream.lost !== null);
    assert.deepEqual(page.stream.lost, { ...lost, isOwn });
    fleet.say(message('request', { request: 'next', process: 2, state: 'queued' }, {}, 'fleet'));
    await until(() => page.stream.lost === null);
    tell({ ...lost, process: 2 });
    await until(() => page.stream.lost !== null);
    assert.equal(page.stream.lost.isOwn, false, 'the next one is of another page');
  });
}

test('a page is told who has interrupted what runs', async () => {
  const { fleet, page } = await connected();
  const heard = [];
  page.stream.release();
  page.stream.interrupted.connect((_, by) => heard.push(by));
  fleet.say(message('interrupted', { by: 'ann' }, {}, 'fleet', ''));
  await until(() => heard.length);
  assert.deepEqual(heard, ['ann']);
});

test('a lab of the version before brings nothing twice, and nothing that waits is lost', async () => {
  const { fleet, page } = await connected();
  page.stream.release();
  const cell = page.send(request());
  const texts = Array.from({ length: 300 }, (_, line) => `${line}\n`);
  for (const text of texts) {
    fleet.say(print(text, cell));
  }
  const { acknowledged } = page.stream._incoming;
  assert.ok(acknowledged < texts.length, 'much waits for JupyterLab');
  fleet.answers = 1006;
  fleet.cut();
  const waiting = page.send(request());
  const late = fleet.say(print('late\n', cell));
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  await until(() => fleet.open.length === 1);
  // The agent knows of the page what was acknowledged, and sends the rest without numbers.
  for (let number = acknowledged + 1; number <= late; number += 1) {
    fleet._send(fleet.open[0], number);
  }
  await until(() => page.printed.includes('late'));
  assert.equal(page.printed, [...texts, 'late\n'].join(''));
  assert.deepEqual(
    fleet.ran,
    [cell, waiting].map(({ header }) => header.msg_id)
  );
});

test('what comes again on a connection without a cursor is handed over once', async () => {
  const fleet = new FakeFleet();
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  const { page } = await connected(fleet);
  const cell = page.send(request());
  fleet.say(print('1 ', cell));
  const unacknowledged = [fleet.say(print('2 ', cell)), fleet.say(print('3 ', cell))];
  await until(() => page.printed === '1 2 3 ');
  for (const death of ['of a lab', 'of the next one, which acknowledged nothing']) {
    // The lab had no time to acknowledge what it had sent to the page.
    fleet.cut();
    await until(() => page.events.filter(event => event === 1006).length, death);
    page.events = [];
    page.connect();
    await until(() => fleet.open.length === 1);
    unacknowledged.forEach(number => fleet._send(fleet.open[0], number));
  }
  const last = print('4 ', cell);
  fleet.say(last);
  // A kernel may give two messages one id.
  fleet.say(last);
  await until(() => page.printed.endsWith('4 4 '));
  assert.equal(page.printed, '1 2 3 4 4 ');
});

test('after a lab of the version before the page counts its messages anew', async () => {
  const { fleet, page } = await connected();
  const cells = [page.send(request()), page.send(request())];
  await until(() => fleet.ran.length === 2);
  fleet.answers = 'v1.kernel.websocket.jupyter.org';
  fleet.cut();
  await until(() => fleet.open.length === 1);
  cells.push(page.send(request()));
  fleet.answers = 'fleet.v1';
  fleet.cut(1012);
  await until(() => page.events.includes(1012));
  page.connect();
  await until(() => page.stream.journal === fleet.journal);
  cells.push(page.send(request()));
  assert.deepEqual(
    fleet.ran,
    cells.map(({ header }) => header.msg_id)
  );
});

test('the end of the kernel is passed on, and nothing else', async () => {
  const { fleet, page } = await connected();
  for (const code of [1001, 1011, 1012, 1013]) {
    fleet.cut(code, 'words');
    await until(() => page.stream.state.is === 'connected');
  }
  assert.deepEqual(page.events, ['open']);
  fleet.model = { status: 200, state: 'dead' };
  fleet.text({ type: 'shut_down', by: 'ann' });
  fleet.cut(4404, 'deleted');
  await until(() => page.events.includes(4404));
  const state = { is: 'ended', code: 4404, reason: 'deleted', by: 'ann' };
  assert.deepEqual(page.stream.state, state);
  assert.deepEqual([...page.streams], []);
});

test('a kernel that is gone is found out though handshakes are refused without a word', async () => {
  const fleet = new FakeFleet();
  fleet.answers = 1006;
  fleet.model = { status: 404, state: null };
  const page = await openPage(fleet);
  await until(() => page.stream.state.is === 'ended');
  assert.equal(page.stream.state.code, 4404);
});

test('JupyterLab does not try again to connect to a kernel that was deleted', async () => {
  const { fleet, page } = await connected();
  // The record goes a moment later.
  const asked = [];
  Object.defineProperty(fleet, 'model', {
    get: () => {
      asked.push('model');
      return asked.length < 3 ? { status: 200, state: 'idle' } : { status: 404, state: null };
    }
  });
  fleet.cut(4404, 'the kernel was shut down by eve');
  await until(() => page.stream.state.is === 'ended');
  page.send(request());
  await until(() => page.events.length === 2);
  assert.ok(page.stream._ends.isEmpty);
  assert.deepEqual([page.events, asked.length], [['open', 1000], 3]);
  assert.equal(page.stream.state.code, 4404);
  assert.equal(fleet.sockets.length, 1);
});

test('what a kernel has not taken when it is deleted is answered, before the end', async () => {
  const { fleet, page } = await connected();
  fleet.model = { status: 404, state: null };
  const taken = page.send(request());
  await until(() => page.stream._ends.isEmpty);
  fleet.acknowledges = false;
  const lost = page.send(request());
  let over = null;
  page.stream.over.connect(() => (over = [...page.heard]));
  fleet.cut(4404);
  await until(() => page.events.includes(1000));
  const replies = over.filter(({ header }) => header.msg_type === 'execute_reply');
  assert.deepEqual(
    replies.map(({ parent_header: { msg_id }, content }) => [msg_id, outputOfDeath({ content })]),
    [[lost.header.msg_id, notRun()]]
  );
  assert.notEqual(taken.header.msg_id, lost.header.msg_id);
});

test('why a kernel cannot be reached is known, though it never was', async () => {
  const fleet = new FakeFleet();
  fleet.answers = 1013;
  const page = await openPage(fleet);
  await until(() => page.stream.state.is === 'cut');
  assert.equal(page.stream.state.why, 'unreachable');
  assert.equal(page.stream.state.reason, 'words');
});

test('when the login ends, what is pending waits for the user', async () => {
  const { fleet, page } = await connected();
  fleet.cut(4401);
  await until(() => page.stream.state.is === 'signedOut');
  const cell = page.send(request());
  const tried = fleet.sockets.length;
  await new Promise(resolve => setTimeout(resolve, 100));
  assert.equal(fleet.sockets.length, tried);
  assert.equal(page.signIn.refused, 1);
  page.signIn.back();
  await until(() => page.stream.state.is === 'connected');
  assert.deepEqual(fleet.ran, [cell.header.msg_id]);
  assert.deepEqual(page.events, ['open']);
});

test('without the right, what is pending waits for the right', async () => {
  const { fleet, page } = await connected();
  fleet.cut(4403, 'you are a viewer');
  await until(() => page.stream.state.is === 'notAllowed');
  assert.equal(page.stream.state.reason, 'you are a viewer');
  assert.equal(page.signIn.checked, 1);
  const cell = page.send(request());
  page.stream.retryNow();
  await until(() => page.stream.state.is === 'connected');
  assert.deepEqual(fleet.ran, [cell.header.msg_id]);
});

test('a launch is told to JupyterLab, and an interrupt takes back what waits', async () => {
  const fleet = new FakeFleet();
  fleet.launched = false;
  fleet.model.state = 'starting';
  const page = await openPage(fleet);
  await until(() => page.events.includes('open'));
  const info = page.send(request('page', 'kernel_info_request'));
  const cell = page.send(request());
  fleet.text({ type: 'launch', state: 'launching', launch: { phase: 'queued' } });
  await until(() => page.types('status').length);
  assert.deepEqual(page.types('status')[0].content, {
    execution_state: 'starting',
    launch: { phase: 'queued' }
  });
  fleet.text({ type: 'interrupted' });
  await until(() => page.types('execute_reply').length);
  assert.equal(page.types('execute_reply')[0].parent_header.msg_id, cell.header.msg_id);
  fleet.launch();
  await until(() => page.stream.state.is === 'connected');
  const next = page.send(request());
  assert.deepEqual(
    fleet.taken.filter(({ channel }) => channel === 'shell').map(({ header }) => header.msg_id),
    [info.header.msg_id, next.header.msg_id]
  );
});

test('a message that is longer than servers take is answered in the cell', async () => {
  const { fleet, page } = await connected();
  const cell = page.send(request('page', 'execute_request', { code: 'x'.repeat(2 ** 26) }));
  await until(() => page.types('status').some(({ content }) => content.execution_state === 'idle'));
  assert.match(page.types('error')[0].content.evalue, /64 MB/);
  assert.equal(page.types('execute_reply')[0].parent_header.msg_id, cell.header.msg_id);
  assert.deepEqual(fleet.ran, []);
  assert.equal(fleet.open.length, 1);
});

test('between the words of two processes JupyterLab gets a task', async () => {
  const { fleet, page } = await connected();
  const handled = [];
  page.socket.onmessage = ({ data }) => {
    // As JupyterLab does: handled later, unless another session has spoken by then.
    page.current = data.header.session;
    void Promise.resolve().then(() => page.current === data.header.session && handled.push(data));
  };
  const cell = request();
  fleet.say(print('last words', cell));
  const restarting = message('status', { execution_state: 'restarting' });
  restarting.header.session = 'agent';
  fleet.say(restarting);
  await until(() => handled.length >= 2);
  assert.deepEqual(
    handled.map(({ header }) => header.msg_type),
    ['stream', 'status']
  );
});

test('a message that servers take for none is answered after three times, and the rest goes on', async () => {
  const { fleet, page } = await connected();
  const good = page.send(request());
  const take = fleet.take.bind(fleet);
  let tries = 0;
  fleet.take = (socket, data) => {
    if (
      typeof data !== 'string' &&
      new globalThis.TextDecoder().decode(data).includes('unreadable')
    ) {
      tries += 1;
      socket.end(1007, 'this is no message');
    } else if (socket.readyState === 1) {
      take(socket, data);
    }
  };
  const bad = page.send(request('page', 'execute_request', { code: 'unreadable' }));
  const next = page.send(request());
  await until(() => fleet.ran.includes(next.header.msg_id));
  assert.equal(tries, 3);
  assert.deepEqual(
    fleet.ran,
    [good, next].map(({ header }) => header.msg_id)
  );
  const answers = page.heard.filter(
    ({ parent_header }) => parent_header?.msg_id === bad.header.msg_id
  );
  assert.deepEqual(
    answers.map(({ header }) => header.msg_type),
    ['error', 'execute_reply', 'status']
  );
  assert.match(answers[1].content.evalue, /was not run/);
  assert.equal(answers[2].content.execution_state, 'idle');
  await until(() => page.stream.state.is === 'connected');
});

test('of a user who is not known yet nothing is delivered, and nothing is lost', async () => {
  const storage = new FakeStorage();
  const { fleet, page } = await connected(new FakeFleet(), { storage });
  fleet.answers = 1006;
  fleet.cut();
  const cell = page.send(request());
  page.leave();
  fleet.answers = 'fleet.v1';
  const next = await openPage(fleet, { storage, session: 'next' });
  next.signIn.user = null;
  await until(() => next.stream.state.is === 'connected');
  assert.deepEqual(fleet.ran, []);
  next.leave();
  await connected(fleet, { storage, session: 'last' });
  assert.deepEqual(fleet.ran, [cell.header.msg_id]);
});

/** The record of a request of another page's. */
const record = (cell, state = 'done') => ({
  request: cell.header.msg_id,
  cell: 'cell-1',
  session: 'other',
  state,
  held: false,
  gone: false
});
const idle = cell => message('status', { execution_state: 'idle' }, cell.header);

test('what others run waits for the answer, which comes before it', async () => {
  const fleet = new FakeFleet();
  const cell = request('other');
  fleet.say(print('1 ', cell));
  fleet.say(print('2 ', cell));
  const { page } = await connected(fleet);
  fleet.say(print('3 ', cell));
  const begun = [];
  let isAnswered = false;
  const answered = page.stream
    .replay(
      () => ({ 'cell-1': null }),
      (index, missing) => {
        begun.push([index, missing, page.printed]);
        page.stream.adopt(cell.header.msg_id);
        page.send(cell);
      }
    )
    .then(() => (isAnswered = true));
  await until(() => fleet.asked.length === 1);
  assert.deepEqual(fleet.asked[0].content, { cells: { 'cell-1': null }, adopt: true });
  fleet.replay([record(cell, 'running')], [1, 2], [3]);
  fleet.say(print('4', cell));
  await answered;
  assert.ok(isAnswered);
  await until(() => page.printed.endsWith('4'));
  assert.equal(page.printed, '1 2 3 4');
  assert.deepEqual(begun, [[[record(cell, 'running')], [], '']]);
  // It is another page's request, which runs already.
  assert.deepEqual(fleet.ran, []);
});

test('text on both sides of missing messages comes in messages of its own', async () => {
  const { fleet, page } = await connected();
  const cell = request('other');
  const numbers = Array.from({ length: 9 }, (_, at) => fleet.say(print(`${at} `, cell)));
  const texts = [];
  page.socket.onmessage = ({ data }) => data.content.text && texts.push(data.content.text);
  const answered = page.stream.replay(
    () => ({}),
    () => {
      page.stream.adopt(cell.header.msg_id);
      page.send(cell);
    }
  );
  await until(() => fleet.asked.length === 1);
  fleet.answer(
    { index: [record(cell, 'running')], missing: [[numbers[3], numbers[5]]] },
    [0, 1, 2, 6, 7, 8].map(at => numbers[at])
  );
  await answered;
  await until(() => texts.join('') === '0 1 2 6 7 8 ');
  assert.ok(texts.length < 6, 'joined');
  assert.ok(texts.every(text => !text.includes('2 6')));
});

test('what is lost of a later part of an answer is told before what follows', async t => {
  t.mock.method(console, 'error', () => undefined);
  const { fleet, page } = await connected();
  const cell = request('other');
  const numbers = Array.from({ length: 8 }, (_, at) => fleet.say(print(`${at} `, cell)));
  const texts = [];
  page.socket.onmessage = ({ data }) => data.content.text && texts.push(data.content.text);
  const lost = [[numbers[2], numbers[4]]];
  const told = [];
  const answered = page.stream.replay(
    () => ({}),
    () => {
      page.stream.adopt(cell.header.msg_id);
      page.send(cell);
    },
    missing => {
      told.push([missing, texts.join('').includes('5')]);
      throw new Error('a notebook that fails');
    }
  );
  await until(() => fleet.asked.length === 1);
  fleet.missing = [[], lost];
  fleet.replay([record(cell, 'running')], numbers.slice(0, 2), numbers.slice(5));
  await answered;
  await until(() => texts.join('') === '0 1 5 6 7 ');
  assert.deepEqual(told, [[lost, false]]);
  assert.ok(texts.every(text => !text.includes('1 5')));
});

test('of an answer, what nobody adopts is left out, and what came live is not', async () => {
  const fleet = new FakeFleet();
  const { page } = await connected(fleet);
  const own = page.send(request());
  const number = fleet.say(print('mine ', own));
  await until(() => page.printed === 'mine ');
  const other = request('console');
  fleet.say(print('theirs', other));
  const answered = page.stream.replay(
    () => ({}),
    () => undefined
  );
  fleet.replay([{ ...record(own, 'running'), session: 'page' }], [number]);
  await answered;
  await until(() => page.printed.includes('theirs'));
  assert.equal(page.printed, 'mine theirs');
});

test('requests are announced in order with what the kernel says', async () => {
  const { fleet, page } = await connected();
  page.stream.release();
  const order = [];
  page.socket.onmessage = ({ data }) => data.content.text && order.push(data.content.text);
  page.stream.announced.connect((_, { request }) => order.push(request));
  const [first, second] = [request('other'), request('other')];
  fleet.say(print('a', first));
  fleet.say(message('request', record(second), {}, 'fleet', ''));
  fleet.say(print('b', second));
  await until(() => order.length === 3);
  assert.deepEqual(order, ['a', second.header.msg_id, 'b']);
});

test('what others run goes on when nobody asks', async () => {
  const { fleet, page } = await connected();
  fleet.say(print('theirs', request('other')));
  const own = page.send(request());
  fleet.say(print('mine ', own));
  await until(() => page.printed === 'mine ');
  page.stream.release();
  await until(() => page.printed === 'mine theirs');
});

test('what others run goes on by itself when nobody has asked for a while', async t => {
  const timers = [];
  const { setTimeout: really } = globalThis;
  t.mock.method(globalThis, 'setTimeout', (call, pause, ...more) => {
    if (pause === 8_000) {
      timers.push(call);
    }
    return really(call, pause, ...more);
  });
  const { fleet, page } = await connected();
  fleet.say(print('theirs', request('other')));
  const own = page.send(request());
  fleet.say(print('mine ', own));
  await until(() => page.printed === 'mine ');
  assert.equal(timers.length, 1);
  timers[0]();
  await until(() => page.printed === 'mine theirs');
});

test('it is asked again when a restart has dropped the question', async () => {
  const { fleet, page } = await connected();
  fleet.answers = 1006;
  fleet.cut();
  const answered = page.stream.replay(
    () => ({}),
    () => undefined
  );
  page.streams.dropPending('kernel-1');
  fleet.answers = 'fleet.v1';
  page.stream.retryNow();
  await until(() => fleet.asked.length === 1);
  fleet.replay([], []);
  await answered;
});

test('after a gap the page asks again, and the cell is filled anew', async () => {
  const { fleet, page } = await connected();
  const cell = request('other');
  let begun = 0;
  const begin = () => {
    begun += 1;
    page.heard = page.heard.filter(({ header }) => header.msg_type !== 'stream');
    page.stream.adopt(cell.header.msg_id, begun === 1);
    if (begun === 1) {
      page.send(cell);
    }
  };
  const answered = page.stream.replay(() => ({}), begin);
  fleet.say(print('1 ', cell));
  fleet.replay([record(cell, 'running')], [1]);
  await answered;
  assert.equal(page.printed, '1 ');
  assert.equal(page.stream.limit, 2000);
  fleet.text({ type: 'gap', from: 2, to: 5, limit: 1000 });
  await until(() => fleet.asked.length === 2);
  assert.equal(page.stream.limit, 1000);
  const number = fleet.say(print('9 ', cell));
  fleet.replay([record(cell, 'running')], [1, number]);
  fleet.say(print('10', cell));
  await until(() => page.printed.endsWith('10'));
  assert.equal(page.printed, '1 9 10');
  assert.equal(begun, 2);
  page.send(cell);
  await until(() => fleet.taken.some(({ header }) => header.msg_id === cell.header.msg_id));
});

test('what a cell of this page says after a gap waits until the page knows where the gap is', async () => {
  const { fleet, page } = await connected();
  const own = page.send(request());
  const shown = [];
  const begin = index => {
    shown.push(page.printed);
    if (index.length) {
      page.heard = page.heard.filter(({ header }) => header.msg_type !== 'stream');
      page.stream.adopt(own.header.msg_id, false);
    }
  };
  const answered = page.stream.replay(() => ({}), begin);
  await until(() => fleet.asked.length === 1);
  fleet.replay([], []);
  await answered;
  const first = fleet.say(print('1 ', own));
  await until(() => page.printed === '1 ');
  fleet.text({ type: 'gap', from: first + 1, to: first + 5, limit: 1000 });
  const numbers = [first, fleet.say(print('7 ', own))];
  await until(() => fleet.asked.length === 2);
  await tick(50);
  fleet.replay([{ ...record(own, 'running'), session: 'page' }], numbers);
  fleet.say(print('8', own));
  await until(() => page.printed.endsWith('8'));
  assert.deepEqual(shown, ['', '1 ']);
  assert.equal(page.printed, '1 7 8');
});

test('what a cell holds is not joined to what it lacks', async () => {
  const { fleet, page } = await connected();
  const cell = request('other');
  const numbers = [fleet.say(print('held ', cell)), fleet.say(print('lacks ', cell))];
  numbers.push(fleet.say(print('more', cell)));
  const answered = page.stream.replay(
    () => ({ c: { request: cell.header.msg_id, number: numbers[0] }, empty: null }),
    () => page.stream.adopt(cell.header.msg_id)
  );
  await until(() => fleet.asked.length === 1);
  fleet.replay([record(cell)], numbers);
  await answered;
  const texts = page.types('stream').map(one => [numberOf(one), one.content.text]);
  assert.deepEqual(texts, [
    [numbers[0], 'held '],
    [numbers[2], 'lacks more']
  ]);
});

test('an answer that makes no sense holds up nothing', async () => {
  const { fleet, page } = await connected();
  const [own, foreign] = [page.send(request()), request('other')];
  const answered = page.stream.replay(
    () => ({}),
    () => undefined
  );
  await until(() => fleet.asked.length === 1);
  fleet.say(print('held ', foreign));
  fleet.answer({ index: 'no list' }, [], []);
  fleet.say(print('live', own));
  await answered;
  await until(() => page.printed === 'held live', 'what came with it and behind it is there');
});

test('what waits for an answer after a gap is handed over when the kernel is gone', async () => {
  const { fleet, page } = await connected();
  const own = page.send(request());
  const answered = page.stream.replay(
    () => ({}),
    () => undefined
  );
  await until(() => fleet.asked.length === 1);
  fleet.replay([], []);
  await answered;
  fleet.text({ type: 'gap', from: 1, to: 5, limit: 1000 });
  fleet.say(print('last', own));
  await until(() => fleet.asked.length === 2);
  assert.equal(page.printed, '');
  fleet.cut(4404);
  await until(() => page.stream.state.is === 'ended');
  await until(() => page.printed === 'last');
});

test('what a cell of this page says behind an answer comes after it', async () => {
  const { fleet, page } = await connected();
  const own = page.send(request());
  const begin = () => {
    page.heard = page.heard.filter(({ header }) => header.msg_type !== 'stream');
    page.stream.adopt(own.header.msg_id, false);
  };
  const answered = page.stream.replay(() => ({}), begin);
  await until(() => fleet.asked.length === 1);
  const numbers = [fleet.say(print('1 ', own)), fleet.say(print('2 ', own))];
  fleet.replay([{ ...record(own, 'running'), session: 'page' }], ...numbers.map(one => [one]));
  fleet.say(print('3 ', own));
  const last = fleet.say(print('4', own));
  assert.ok(page.stream._incoming.acknowledged < last - 1);
  await answered;
  await until(() => page.printed.endsWith('4'));
  assert.equal(page.printed, '1 2 3 4');
  await until(() => fleet.open[0].acknowledged === last);
});

test('a message of an answer that nobody can read holds up no other', async t => {
  t.mock.method(console, 'error', () => undefined);
  const { fleet, page } = await connected();
  const cell = request('other');
  fleet._entries.push(new Uint8Array([1, 2, 3]).buffer);
  const number = fleet.say(print('next', cell));
  const answered = page.stream.replay(
    () => ({}),
    () => page.stream.adopt(cell.header.msg_id)
  );
  await until(() => fleet.asked.length === 1);
  fleet.replay([record(cell)], [number - 1, number]);
  await answered;
  assert.equal(page.printed, 'next');
});

test('the past does not change whether the kernel is busy now', async () => {
  const fleet = new FakeFleet();
  fleet.model.state = 'busy';
  const cell = request('other');
  const numbers = [
    fleet.say(message('status', { execution_state: 'busy' }, cell.header)),
    fleet.say(idle(cell))
  ];
  const { page } = await connected(fleet);
  const answered = page.stream.replay(
    () => ({}),
    () => page.stream.adopt(cell.header.msg_id)
  );
  await until(() => fleet.asked.length === 1);
  fleet.replay([record(cell)], numbers);
  await answered;
  const tracked = page
    .types('status')
    .filter(({ parent_header }) => parent_header.msg_type !== 'kernel_info_request')
    .map(({ content }) => content.execution_state);
  assert.deepEqual(tracked, ['busy']);
});

test('the page hears of each stream that is connected', async () => {
  const fleet = new FakeFleet();
  const page = await openPage(fleet);
  let times = 0;
  page.streams.connected.connect(() => (times += 1));
  await until(() => page.stream.state.is === 'connected');
  assert.equal(times, 1);
});

test('what came behind the answer to an earlier question, and is in the next one, comes once', async () => {
  const { fleet, page } = await connected();
  const own = page.send(request());
  const begin = () => {
    page.heard = page.heard.filter(({ header }) => header.msg_type !== 'stream');
    page.stream.adopt(own.header.msg_id, false);
  };
  const answered = page.stream.replay(() => ({}), begin);
  await until(() => fleet.asked.length === 1);
  const index = [{ ...record(own, 'running'), session: 'page' }];
  const numbers = [fleet.say(print('1 ', own))];
  fleet.replay(index, numbers);
  numbers.push(fleet.say(print('2 ', own)));
  // The page has not taken the answer yet when it hears of a gap.
  fleet.text({ type: 'gap', from: 1, to: 1, limit: 1000 });
  assert.equal(fleet.asked.length, 2);
  fleet.replay(index, numbers);
  fleet.say(print('3', own));
  await answered;
  await until(() => page.printed.endsWith('3'));
  assert.equal(page.printed, '1 2 3');
});

test('what comes again after a gap does not count twice towards what a notebook keeps', async () => {
  const { fleet, page } = await connected();
  const own = page.send(request());
  const begin = () => {
    page.heard = page.heard.filter(({ header }) => header.msg_type !== 'stream');
    page.stream.adopt(own.header.msg_id, false);
  };
  const answered = page.stream.replay(() => ({}), begin);
  await until(() => fleet.asked.length === 1);
  const index = [{ ...record(own, 'running'), session: 'page' }];
  fleet.replay(index, []);
  await answered;
  // More than half of the lines that are kept.
  const text = 'line\n'.repeat(1_000);
  const numbers = Array.from({ length: 15 }, () => fleet.say(print(text, own)));
  await until(() => page.printed === text.repeat(15));
  fleet.text({ type: 'gap', from: 1, to: 1, limit: 1000 });
  await until(() => fleet.asked.length === 2);
  fleet.replay(index, numbers);
  fleet.say(print('end', own));
  await until(() => page.printed.endsWith('end') || page.types('display_data').length > 0);
  assert.deepEqual(page.types('display_data'), []);
  assert.equal(page.printed, `${text.repeat(15)}end`);
});
