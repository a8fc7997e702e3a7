import assert from 'node:assert/strict';
import { afterEach, test } from 'node:test';

import { FakeFleet, FakePage, message, print, request, tick, until } from './fakeFleet.js';

const pages = [];

async function connected(fleet) {
  const page = new FakePage(fleet);
  pages.push(page);
  await until(() => page.stream.state.is === 'connected');
  return page;
}

afterEach(() => pages.splice(0).forEach(page => page.leave()));

const record = cell => ({
  request: cell.header.msg_id,
  cell: 'cell-1',
  session: 'other',
  state: 'done',
  held: false,
  gone: false
});

/** What code in a kernel can publish in the name of a cell, beside what kernels say. */
const UNREADABLE = {
  'a status without content': cell => message('status', null, cell.header),
  'text that is a number': cell => message('stream', { name: 'stdout', text: 5 }, cell.header),
  'a stream without content': cell => message('stream', null, cell.header)
};

for (const [what, unreadable] of Object.entries(UNREADABLE)) {
  test(`${what} in an answer does not hold up the rest`, async () => {
    const fleet = new FakeFleet();
    const cell = request('other');
    fleet.say(print('before ', cell));
    fleet.say(unreadable(cell));
    fleet.say(print('after ', cell));
    const page = await connected(fleet);
    let isAnswered = false;
    void page.stream
      .replay(
        () => ({ 'cell-1': null }),
        () => page.stream.adopt(cell.header.msg_id)
      )
      .then(() => (isAnswered = true));
    await until(() => fleet.asked.length === 1);
    fleet.replay([record(cell)], [1, 2, 3]);
    fleet.say(print('live', request('another')));
    await until(() => isAnswered);
    await until(() => page.printed.endsWith('live'));
    assert.equal(page.printed, 'before after live');
  });
}

test('an answer with JSON that browsers do not read does not hold up the rest', async () => {
  const fleet = new FakeFleet();
  const cell = request('other');
  const number = fleet.say(message('display_data', { data: {}, n: 1234 }, cell.header));
  const bytes = new Uint8Array(fleet._entries[number - 1]);
  // In place of `1234`, before the last brace.
  bytes.set(
    Array.from(' NaN', character => character.charCodeAt(0)),
    bytes.length - 5
  );
  fleet.say(print('after', cell));
  const page = await connected(fleet);
  let isAnswered = false;
  void page.stream
    .replay(
      () => ({ 'cell-1': null }),
      () => page.stream.adopt(cell.header.msg_id)
    )
    .then(() => (isAnswered = true));
  await until(() => fleet.asked.length === 1);
  fleet.replay([record(cell)], [1, 2]);
  await until(() => isAnswered);
  assert.equal(page.printed, 'after');
});

test('an unreadable message among those held back takes no others with it', async () => {
  const fleet = new FakeFleet();
  const page = await connected(fleet);
  const cell = request('other');
  fleet.say(print('1', cell));
  fleet.say(message('status', null, cell.header));
  fleet.say(print('2', cell));
  page.stream.release();
  await tick(300);
  assert.equal(page.printed, '12');
});
