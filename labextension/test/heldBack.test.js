import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HeldBack, isAnswered, isWanted } from '../lib/stream/heldBack.js';
import { numbered } from '../lib/stream/numbered.js';
import { FakeFleet, FakePage, message, print, request, until } from './fakeFleet.js';

const answer = (fence, adopted, numbers) => ({
  fence,
  adopted: new Set(adopted),
  numbers: new Set(numbers)
});

test('an answer covers the requests that it fills, up to its fence', () => {
  const [filled, other] = [request('other'), request('other')];
  const answered = answer(10, [filled.header.msg_id], [5]);
  const isCovered = (what, number) => isAnswered(numbered(what, number), answered);
  assert.equal(isCovered(print('a', filled), 10), true);
  assert.equal(isCovered(print('a', filled), 11), false);
  assert.equal(isCovered(print('a', other), 10), false);
  // A display of a filled cell that another request has changed.
  assert.equal(isCovered(message('update_display_data', {}, other.header), 5), true);
  assert.equal(isCovered(message('request', {}, {}, 'fleet'), 10), true);
  assert.equal(isCovered(message('request', {}, {}, 'fleet'), 11), false);
});

test('an answer covers no reply that it does not have', () => {
  const cell = request('page');
  const reply = message('execute_reply', {}, cell.header, 'shell');
  // The page has all outputs of the request: nothing of it is in the answer.
  const answered = answer(10, [cell.header.msg_id], []);
  assert.equal(isAnswered(numbered(reply, 9), answered), false);
  assert.equal(isAnswered(numbered(reply, 9), { ...answered, numbers: new Set([9]) }), true);
});

test('of an answer, a page wants what it fills, and changes of displays', () => {
  const [filled, other] = [request('other'), request('other')];
  const adopted = new Set([filled.header.msg_id]);
  assert.equal(isWanted(print('a', filled), adopted), true);
  assert.equal(isWanted(print('a', other), adopted), false);
  assert.equal(isWanted(message('update_display_data', {}, other.header), adopted), true);
});

test("the page's own requests do not wait, nor what answers none, nor replies", () => {
  const held = new HeldBack('page');
  const [own, other] = [request('page'), request('other')];
  assert.equal(held.takes(print('a', other)), false);
  held.hold();
  const reply = message('execute_reply', {}, other.header, 'shell');
  const dead = message('status', { execution_state: 'dead' });
  for (const passes of [print('a', own), reply, dead]) {
    assert.equal(held.takes(passes), false);
  }
  const waits = print('a', other);
  assert.equal(held.takes(waits), true);
  assert.deepEqual(held.release(), [waits]);
  assert.equal(held.takes(waits), false);
});

test('of texts that come again with the answer, no more waits than a page can keep', () => {
  const held = new HeldBack('page');
  const [filled, other] = [request('page'), request('page')];
  held.holdAll(new Set([filled.header.msg_id]));
  const text = 'x'.repeat(1_000_000);
  for (let count = 0; count < 20; count += 1) {
    assert.equal(held.takes(print(text, filled)), true);
    assert.equal(held.takes(print(text, other)), true);
  }
  const display = message('display_data', {}, filled.header);
  assert.equal(held.takes(display), true);
  const waiting = held.release();
  const of = ({ header }) =>
    waiting.filter(({ parent_header }) => parent_header.msg_id === header.msg_id);
  assert.equal(of(filled).length, 9);
  assert.equal(of(other).length, 20);
  assert.equal(waiting.at(-1), display);
});

test('what waits in the queue comes before the page adopts, not twice', async t => {
  const fleet = new FakeFleet();
  const page = new FakePage(fleet);
  t.after(() => page.leave());
  await until(() => page.stream.state.is === 'connected');
  page.stream.comms.isTrusted = true;
  page.stream.release();
  const cell = request('other');
  const comm = data => message('comm_msg', { comm_id: 'w', data }, cell.header);
  const numbers = Array.from({ length: 200 }, (_, at) => fleet.say(comm(at)));
  assert.ok(page.heard.length < 200);
  const answered = page.stream.replay(
    () => ({}),
    () => {
      // As JupyterLab does: what has come so far goes to the cell as it was.
      page.heard = [];
      page.stream.adopt(cell.header.msg_id);
    }
  );
  const record = { request: cell.header.msg_id, state: 'running', held: false, gone: false };
  fleet.replay([record], numbers);
  await answered;
  assert.deepEqual(
    page.types('comm_msg').map(({ content }) => content.data),
    numbers.map((_, at) => at)
  );
});
