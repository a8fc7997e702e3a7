import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import {
  cellsByOrder,
  isNewsOfGone,
  isOfCell,
  isOlder,
  newestHeld,
  refillOf
} from '../lib/replay/refills.js';
import { sourceHash } from '../lib/replay/sourceHash.js';

const NOW = Date.parse('2026-01-01T12:00:00Z');
const record = more => ({
  request: 'r1',
  cell: 'a',
  state: 'done',
  first: 10,
  last: 20,
  held: false,
  ...more
});

test('a cell that holds all of an ended request is left alone', () => {
  const held = { request: 'r1', number: 20 };
  assert.equal(refillOf(record({ held: true }), held, [], true), 'follow');
});

test('a cell shows what its own code said, whoever ran it', () => {
  const ran = record({ source: sourceHash('1 + 1') });
  const early = { request: 'r0', number: 5 };
  for (const held of [null, early]) {
    assert.equal(isOfCell(ran, '1 + 1', held), true);
    assert.equal(isOfCell(ran, '2 + 2', held), false);
    assert.equal(isOfCell(ran, '', held), false, 'it was typed elsewhere');
  }
  // It shows the start already, or nobody knows what ran.
  assert.equal(isOfCell(ran, '2 + 2', { request: 'r1', number: 15 }), true);
  assert.equal(isOfCell(record({ source: null }), '2 + 2', early), true);
});

test('any other cell is filled from the first message on', () => {
  assert.equal(refillOf(record(), null, [], false), 'refill');
  assert.equal(refillOf(record(), { request: 'r1', number: 15 }, [], true), 'refill');
  const running = record({ state: 'running', held: true });
  assert.equal(refillOf(running, { request: 'r1', number: 20 }, [], true), 'refill');
});

test('what the page has of messages that the journal lost stays', () => {
  const lost = [[1, 12]];
  for (const isHeard of [true, false]) {
    const of = held => refillOf(record(), held, lost, isHeard);
    assert.equal(of({ request: 'r1', number: 15 }), 'append');
    assert.equal(of({ request: 'r1', number: 9 }), 'refill');
    assert.equal(of({ request: 'other', number: 15 }), 'refill');
    assert.equal(of(null), 'refill');
  }
});

test('a cell that this page has filled keeps what is not the first and was lost since', () => {
  const of = (missing, isHeard) =>
    refillOf(record(), { request: 'r1', number: 15 }, missing, isHeard);
  assert.equal(of([[15, 18]], true), 'append');
  // Of what a file has, displays that are changed later would stay as they are.
  assert.equal(of([[15, 18]], false), 'refill');
  assert.equal(of([[16, 18]], true), 'refill');
  assert.equal(of([[1, 9]], true), 'refill');
});

test('a cell keeps a later request of another kernel, and not one of the same journal', () => {
  const [early, late] = ['2026-01-01T10:00:00.000Z', '2026-01-01T11:00:00+00:00'];
  const of = (sent, journal) => ({ request: 'mine', number: 5, sent, journal });
  assert.equal(isOlder(record({ sent: early }), of(late, 'theirs'), 'ours', NOW), true);
  assert.equal(isOlder(record({ sent: early }), of(late, undefined), 'ours', NOW), true);
  assert.equal(isOlder(record({ sent: late }), of(early, 'theirs'), 'ours', NOW), false);
  // The clocks of two users differ, and the journal knows the order.
  assert.equal(isOlder(record({ sent: early }), of(late, 'ours'), 'ours', NOW), false);
  const same = { request: 'r1', number: 5, sent: late };
  assert.equal(isOlder(record({ sent: early }), same, 'ours', NOW), false);
});

test('a cell is filled whose outputs a clock has dated that was ahead by hours', () => {
  const held = { request: 'mine', number: 5, sent: '2026-01-01T20:00:00.000Z', journal: 'theirs' };
  const sent = '2026-01-01T11:00:00.000Z';
  assert.equal(isOlder(record({ sent }), held, 'ours', NOW), false);
  // Clocks differ a little.
  const soon = new Date(NOW + 60_000).toISOString();
  assert.equal(isOlder(record({ sent }), { ...held, sent: soon }, 'ours', NOW), true);
});

test('a cell of which nobody knows when it ran is filled', () => {
  const sent = '2026-01-01T10:00:00.000Z';
  assert.equal(isOlder(record({ sent }), null, 'ours', NOW), false);
  assert.equal(isOlder(record({ sent }), { request: 'mine', number: 5 }, 'ours', NOW), false);
  assert.equal(
    isOlder(record({ sent: null }), { request: 'x', number: 5, sent }, 'ours', NOW),
    false
  );
  assert.equal(
    isOlder(record({ sent }), { request: 'x', number: 5, sent: '?' }, 'ours', NOW),
    false
  );
});

const ran = (request, source) => ({ request, source });
const cell = (id, source, held = null) => ({ id, source, held });

test('cells without ids are matched by the order in which they ran', () => {
  assert.deepEqual(
    [...cellsByOrder([ran('r1', 's1'), ran('r2', 's2')], [cell('x', 's1'), cell('y', 's2')])],
    [
      ['r1', 'x'],
      ['r2', 'y']
    ]
  );
});

test('cells without ids are not matched if their number or code differs', () => {
  const requests = [ran('r1', 's1'), ran('r2', 's2')];
  assert.equal(cellsByOrder(requests, [cell('x', 's1')]).size, 0);
  assert.equal(cellsByOrder(requests, [cell('x', 's1'), cell('y', 'edited')]).size, 0);
  assert.equal(cellsByOrder(requests, [cell('x', 's2'), cell('y', 's1')]).size, 0);
});

test('a cell that was saved says which request it holds', () => {
  const requests = [ran('r1', 's1'), ran('r2', 's2')];
  const cells = [cell('x', 's2'), cell('y', 'edited', { request: 'r1', number: 5 })];
  assert.deepEqual(Object.fromEntries(cellsByOrder(requests, cells)), { r1: 'y', r2: 'x' });
});

test('a cell that is gone is news if it runs, or spoke after all that is known', () => {
  const held = [
    { request: 'r2', number: 50 },
    null,
    { request: 'of another journal', number: 900 }
  ];
  const newest = newestHeld([record(), { request: 'r2' }], held);
  assert.equal(newest, 50);
  assert.equal(isNewsOfGone(record({ last: 51 }), newest), true);
  assert.equal(isNewsOfGone(record({ last: 49 }), newest), false);
  assert.equal(isNewsOfGone(record({ last: 49, state: 'running' }), newest), true);
  assert.equal(isNewsOfGone(record({ last: 1 }), newestHeld([record()], [])), true);
});

test('the hash of a source is the SHA-256 of its UTF-8', () => {
  for (const code of ['', 'print("ü €")', 'x\n'.repeat(10_000)]) {
    assert.equal(sourceHash(code), createHash('sha256').update(code).digest('hex'));
  }
});
