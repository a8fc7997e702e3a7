import assert from 'node:assert/strict';
import { test } from 'node:test';

import { UnfinishedRequests } from '../lib/replay/unfinishedRequests.js';

test('a request is lost while its cell is there and filled by nothing, or by another one', () => {
  const requests = new UnfinishedRequests();
  requests.began('r1', 'a');
  requests.began('r2', 'b');
  requests.began('r3', 'c');
  const filled = { a: 'r1', b: null, c: 'r0' };
  assert.deepEqual([...requests.lost(cell => filled[cell])], ['r2', 'r3']);
});

test('a cell that is gone has lost nothing until it is back', () => {
  const requests = new UnfinishedRequests();
  requests.began('r', 'a');
  assert.equal(requests.lost(() => undefined).size, 0);
  // It ended meanwhile: nobody has seen that.
  requests.ended('r', () => false);
  assert.deepEqual([...requests.lost(() => null)], ['r']);
});

test('what has ended in its cell, or was followed by another request, is not looked for', () => {
  const requests = new UnfinishedRequests();
  requests.began('r1', 'a');
  requests.ended('r1', () => true);
  requests.began('r2', 'b');
  requests.began('r3', 'b');
  requests.ended('r2', () => true);
  assert.deepEqual([...requests.lost(() => null)], ['r3']);
});

test('what the kernel does not know is forgotten', () => {
  const requests = new UnfinishedRequests();
  requests.began('r1', 'a');
  requests.began('r2', 'b');
  requests.keep(request => request === 'r2');
  assert.deepEqual([...requests.lost(() => null)], ['r2']);
});
