import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readHeld } from '../lib/contents/heldMetadata.js';
import { HeldOutputs } from '../lib/replay/heldOutputs.js';
import { isSource, sourceHash } from '../lib/replay/sourceHash.js';

const always = () => true;
const said = (request, number, type = 'stream', display = undefined, journal = null) => ({
  request,
  number,
  type,
  display,
  journal
});

test('a cell says in which journal its number is', () => {
  const outputs = new HeldOutputs();
  outputs.began('a', 'r1');
  outputs.handled(said('r1', 7, 'stream', undefined, 'j'), always);
  assert.deepEqual(outputs.of('a'), { request: 'r1', number: 7, journal: 'j' });
});

test('a cell says when its request was sent, also in the file', () => {
  const outputs = new HeldOutputs();
  outputs.began('a', 'r1', '2026-01-01T10:00:00Z');
  outputs.handled(said('r1', 7, 'stream', undefined, 'j'), always);
  const held = { request: 'r1', number: 7, journal: 'j', sent: '2026-01-01T10:00:00Z' };
  assert.deepEqual(outputs.of('a'), held);
  assert.deepEqual(readHeld({ ...held, more: 1 }), held);
});

test('a cell says of which code its outputs are, also in the file and in few characters', () => {
  const outputs = new HeldOutputs();
  outputs.began('a', 'r1', null, sourceHash('x = 1'));
  outputs.handled(said('r1', 7), always);
  const held = readHeld({ ...outputs.of('a') });
  assert.equal(held.source.length, 16);
  assert.ok(isSource('x = 1', held.source));
  assert.ok(!isSource('x = 2', held.source));
  assert.equal(readHeld({ request: 'r1', number: 7, source: '' }).source, undefined);
});

test('a cell holds what was handled of the request that fills it', () => {
  const outputs = new HeldOutputs();
  outputs.holds('a', { request: 'r1', number: 4 });
  outputs.began('b', 'r2');
  outputs.handled(said('r1', 7), always);
  outputs.handled(said('r2', 8), always);
  outputs.handled(said('r2', undefined), always);
  outputs.handled(said('other', 9), always);
  assert.deepEqual(outputs.of('a'), { request: 'r1', number: 7 });
  assert.deepEqual(outputs.of('b'), { request: 'r2', number: 8 });
  assert.equal(outputs.of('c'), null);
});

test('what an earlier request still says is not in the cell', () => {
  const outputs = new HeldOutputs();
  outputs.began('a', 'r1');
  outputs.began('a', 'r2');
  outputs.handled(said('r1', 5), always);
  assert.deepEqual(outputs.of('a'), { request: 'r2', number: 0 });
  assert.equal(outputs.cellOf('r1'), undefined);
  assert.equal(outputs.cellOf('r2'), 'a');
});

test('a change of a display counts for the cells that show it', () => {
  const outputs = new HeldOutputs();
  outputs.began('a', 'r1');
  outputs.began('b', 'r2');
  outputs.handled(said('r1', 1, 'display_data', 'd'), always);
  outputs.handled(said('r2', 2, 'update_display_data', 'd'), always);
  assert.deepEqual(outputs.of('a'), { request: 'r1', number: 2 });
  assert.deepEqual(outputs.of('b'), { request: 'r2', number: 2 });
  outputs.handled(said('r2', 3, 'update_display_data', 'unknown'), always);
  assert.deepEqual(outputs.of('a'), { request: 'r1', number: 2 });
});

test('a cell that does not show it does not hold it', () => {
  const outputs = new HeldOutputs();
  outputs.began('a', 'r1');
  outputs.handled(said('r1', 1), cell => cell !== 'a');
  assert.deepEqual(outputs.of('a'), { request: 'r1', number: 0 });
  outputs.forget('a');
  assert.equal(outputs.of('a'), null);
});

test('numbers never go back', () => {
  const outputs = new HeldOutputs();
  outputs.holds('a', { request: 'r', number: 9 });
  outputs.handled(said('r', 3), always);
  assert.deepEqual(outputs.of('a'), { request: 'r', number: 9 });
});
