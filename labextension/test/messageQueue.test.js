import assert from 'node:assert/strict';
import { mock, test } from 'node:test';

import { join, MessageQueue } from '../lib/stream/messageQueue.js';
import { replayed } from '../lib/stream/numbered.js';
import { OutputLimit } from '../lib/outputs/outputLimit.js';

let number = 0;

function message(type, content, parent = 'cell', channel = 'iopub') {
  number += 1;
  return {
    channel,
    header: { msg_type: type, msg_id: `m${number}` },
    parent_header: { msg_id: parent },
    metadata: {},
    content,
    buffers: []
  };
}

const print = (text, name = 'stdout', parent = 'cell') => message('stream', { name, text }, parent);
const clear = wait => message('clear_output', { wait });
const update = (id, text) =>
  message('update_display_data', { data: { 'text/plain': text }, transient: { display_id: id } });
const comm = data => message('comm_msg', { comm_id: 'w', data });

function joined(...messages) {
  const waiting = [];
  for (const next of messages) {
    join(waiting, next);
  }
  return waiting.map(
    ({ header, content }) => content?.text ?? content?.data?.['text/plain'] ?? header.msg_type
  );
}

test('text of one stream is joined, that of two is not', () => {
  assert.deepEqual(joined(print('a'), print('b'), print('c', 'stderr'), print('d')), [
    'ab',
    'c',
    'd'
  ]);
});

test('text is joined across what another cell or a widget says', () => {
  assert.deepEqual(joined(print('a'), print('x', 'stdout', 'other'), print('b')), ['ab', 'x']);
  assert.deepEqual(joined(print('a'), comm({ state: { value: 1 } }), print('b')), [
    'ab',
    'comm_msg'
  ]);
});

test('text is not moved past a widget that begins to catch it, or past the end of its cell', () => {
  assert.deepEqual(joined(print('a'), comm({ state: { msg_id: 'cell' } }), print('b')), [
    'a',
    'comm_msg',
    'b'
  ]);
  const idle = message('status', { execution_state: 'idle' });
  assert.deepEqual(joined(print('a'), idle, print('b')), ['a', 'status', 'b']);
});

test('whatever waits, what comes after it is joined and left out as before', () => {
  for (const odd of [
    comm({ state: 'running' }),
    comm({ state: 1 }),
    comm(null),
    message('comm_msg', null),
    message('display_data', null, 'other')
  ]) {
    const shown = joined(odd, print('a'), print('b'), update('d', '1'), update('d', '2'));
    assert.deepEqual(shown.slice(1), ['ab', '2'], JSON.stringify(odd.content));
  }
});

test('text is not joined to text before missing messages', () => {
  const behind = replayed(print('b'), 7, true);
  assert.deepEqual(joined(print('a'), behind, print('c')), ['a', 'bc']);
  assert.deepEqual(joined(print('a'), replayed(print('b'), 7), print('c')), ['abc']);
});

test('what is cleared before anybody could see it is left out', () => {
  assert.deepEqual(
    joined(clear(true), print('1'), clear(true), print('2'), clear(true), print('3')),
    ['clear_output', '3']
  );
});

test('a clear without another output keeps what it would clear', () => {
  assert.deepEqual(joined(print('1'), clear(true)), ['1', 'clear_output']);
});

test('of several updates of one display the last is left', () => {
  assert.deepEqual(joined(update('a', '1'), update('b', 'x'), update('a', '2')), ['x', '2']);
});

test('of hundreds of displays that change in turn each waits once', () => {
  const turns = [1, 2, 3].map(turn =>
    Array.from({ length: 300 }, (_, i) => update(`d${i}`, `${turn}`))
  );
  assert.deepEqual(joined(...turns.flat()), Array(300).fill('3'));
});

test('a few messages go through at once', () => {
  const delivered = [];
  const queue = new MessageQueue(new OutputLimit(), next => delivered.push(next));
  const sent = [message('status', { execution_state: 'busy' }), print('1'), print('2')];
  sent.forEach(next => queue.push(next));
  assert.deepEqual(delivered, sent);
});

test('a flood is handed over in order, joined, and all of it', async () => {
  const delivered = [];
  let ended;
  const end = new Promise(resolve => (ended = resolve));
  const queue = new MessageQueue(new OutputLimit(), next => {
    delivered.push(next);
    if (next.header.msg_type === 'status') {
      ended();
    }
  });
  for (let i = 0; i < 3000; i += 1) {
    queue.push(print(`${i}\n`));
  }
  queue.push(message('status', { execution_state: 'idle' }));
  assert.ok(delivered.length < 100);
  await end;
  assert.equal(delivered.at(-1).header.msg_type, 'status');
  assert.ok(delivered.length < 100);
  const text = delivered.map(({ content }) => content.text ?? '').join('');
  assert.equal(text, Array.from({ length: 3000 }, (_, i) => `${i}\n`).join(''));
});

/**
 * Hand over what widgets say, each message of which takes the page `takes` ms.
 *
 * Timers are those of a browser: each fires as soon as it may, which in a page that is not visible is once
 * a second, or once a minute for one that timers have begun which timers have begun, and so on.
 *
 * @returns how long it took, and how much time the page had for nothing else; in ms.
 */
async function handOver(t, count, takes, isHidden = false) {
  let [now, level, slice, longest] = [0, 0, 0, 0];
  t.mock.method(globalThis.performance, 'now', () => now);
  t.mock.method(globalThis, 'setTimeout', (callback, wait = 0) => {
    const own = level + 1;
    globalThis.setImmediate(() => {
      now += isHidden ? Math.max(wait, own >= 5 ? 60_000 : 1_000) : wait;
      [level, slice] = [own, 0];
      callback();
      level = 0;
    });
  });
  globalThis.document = { hidden: isHidden };
  let left = count;
  await new Promise(resolve => {
    // JupyterLab handles a message in a promise that follows.
    const queue = new MessageQueue(new OutputLimit(), async () => {
      await null;
      [now, slice] = [now + takes, slice + takes];
      longest = Math.max(longest, slice);
      if ((left -= 1) === 0) {
        resolve();
      }
    });
    for (let i = 0; i < count; i += 1) {
      queue.push(comm({ state: { value: i } }));
    }
  });
  t.mock.restoreAll();
  delete globalThis.document;
  return { took: now, longest };
}

test('the page hears soon what widgets say thousands of times a second', async t => {
  const { took, longest } = await handOver(t, 20_000, 0.1);
  assert.ok(took < 8_000, `${took} ms`);
  assert.ok(longest <= 200, `${longest} ms without a pause`);
});

test('of what takes the page long there is no more at once than before', async t => {
  const { longest } = await handOver(t, 2_000, 4);
  assert.ok(longest <= 200, `${longest} ms without a pause`);
});

test('a page that is not visible does not fall behind', async t => {
  const { took } = await handOver(t, 20_000, 0.1, true);
  assert.ok(took < 20_000, `${took} ms`);
});

test('the end of a connection hands over all that waits', () => {
  const delivered = [];
  const queue = new MessageQueue(new OutputLimit(), next => delivered.push(next));
  for (let i = 0; i < 500; i += 1) {
    queue.push(comm({ state: { value: i } }));
  }
  assert.ok(delivered.length < 500);
  queue.flush();
  assert.equal(delivered.length, 500);
});

test('a message that JupyterLab cannot take holds up none of those behind it', t => {
  t.mock.method(console, 'error', () => undefined);
  const taken = [];
  const queue = new MessageQueue(new OutputLimit(), ({ header }) => {
    if (header.msg_type === 'broken') {
      throw new Error('not a message');
    }
    taken.push(header.msg_type);
  });
  queue.push(message('broken', {}));
  queue.push(message('comm_open', {}));
  assert.deepEqual(taken, ['comm_open']);
  assert.equal(console.error.mock.callCount(), 1);
  queue.clear();
});

test('a page that catches up gets much soon, in short slices, and then goes on as before', async t => {
  let now = 0;
  t.mock.method(globalThis.performance, 'now', () => now);
  mock.timers.enable({ apis: ['setTimeout'] });
  t.after(() => mock.timers.reset());
  const delivered = [];
  let [slice, longest] = [0, 0];
  const queue = new MessageQueue(new OutputLimit(), next => {
    delivered.push(next);
    now += 1;
    slice += 1;
    longest = Math.max(longest, slice);
  });
  const passes = async () => {
    await new Promise(resolve => globalThis.setImmediate(resolve));
    slice = 0;
    now += 1;
    mock.timers.tick(1);
  };
  queue.catchUp(true);
  const sent = Array.from({ length: 500 }, (_, i) =>
    message('display_data', { data: { 'text/plain': `${i}` } })
  );
  sent.forEach(next => queue.push(next));
  let isEmpty = false;
  void queue.emptied().then(() => (isEmpty = true));
  for (let pauses = 0; !isEmpty && pauses < 1_000; pauses += 1) {
    await passes();
  }
  assert.deepEqual(delivered, sent);
  assert.ok(now < 1_000, `took ${now} ms for 500 displays that take 1 ms each`);
  assert.ok(longest <= 15, `${longest} ms without a pause`);
  queue.catchUp(false);
  await passes();
  now += 1_000;
  sent.forEach(next => queue.push({ ...next, parent_header: { msg_id: 'next' } }));
  assert.equal(delivered.length, 510);
  queue.clear();
});
