import assert from 'node:assert/strict';
import { test } from 'node:test';

import { packFrame, unpackFrame } from '../lib/stream/clientFrames.js';
import { streamUrl } from '../lib/stream/addresses.js';
import { PendingMessages } from '../lib/stream/pendingMessages.js';
import { closeCodeOf } from '../lib/stream/closeCode.js';
import { codeOfStatus, outcomeOf, pauseBefore } from '../lib/stream/reconnecting.js';

test('a close code says whether and when to try again', () => {
  const outcomes = {
    1000: { then: 'again', why: 'network' },
    1001: { then: 'again', why: 'network' },
    1006: { then: 'again', why: 'network' },
    1012: { then: 'again', why: 'owner' },
    1013: { then: 'again', why: 'unreachable' },
    4401: { then: 'signIn' },
    4403: { then: 'rights' },
    4404: { then: 'end' },
    4406: { then: 'plain' },
    4429: { then: 'again', why: 'unreachable' }
  };
  for (const [code, outcome] of Object.entries(outcomes)) {
    assert.deepEqual(outcomeOf(Number(code)), outcome);
  }
});

test('what the server says of a kernel stands for a close code, if it says anything', () => {
  assert.deepEqual(
    [200, 401, 403, 404, 500, 503].map(status => codeOfStatus(status)),
    [null, 4401, 4403, 4404, null, null]
  );
});

test('JupyterLab connects no more to a kernel that is deleted, and once to one that is dead', () => {
  const gone = { status: 404, state: null };
  const dead = { status: 200, state: 'dead' };
  const alive = { status: 200, state: 'idle' };
  assert.equal(closeCodeOf(4404, gone, 1), 1000);
  assert.equal(closeCodeOf(4404, dead, 1), 4404);
  assert.deepEqual(
    [alive, null].map(model => closeCodeOf(4404, model, 1)),
    [null, null]
  );
  // It says so again and again: JupyterLab may look for itself.
  assert.equal(closeCodeOf(4404, alive, 6), 4404);
  assert.equal(closeCodeOf(1000, null, 1), 1000);
});

test('it is tried at once, and then less and less often, at least once a second', () => {
  assert.equal(pauseBefore(0, 1), 0);
  assert.deepEqual(
    [1, 2, 3, 10].map(failed => pauseBefore(failed, 1)),
    [50, 100, 200, 1_000]
  );
  assert.ok(pauseBefore(10, 0) < pauseBefore(10, 1));
});

test('a frame is what was packed', () => {
  const message = Uint8Array.from([1, 2, 3]).buffer;
  assert.deepEqual(unpackFrame(packFrame(2 ** 40, 7, message)), {
    sequence: 2 ** 40,
    acknowledged: 7,
    message
  });
  assert.equal(unpackFrame(packFrame(0, 7)).message, null);
  // Big-endian, as in docs/protocols.md.
  assert.deepEqual([...new Uint8Array(packFrame(1, 2))].filter(Boolean), [1, 2]);
  assert.equal(new Uint8Array(packFrame(1, 2))[7], 1);
});

test('an end says what it has, and of which journal', () => {
  const end = { kernelId: 'k', sessionId: 'old', nonce: 'n' };
  const url = 'wss://lab/api/kernels/k/channels?session_id=page&token=t';
  const query = made => Object.fromEntries(new URL(made).searchParams);
  const common = { session_id: 'old', token: 't', stream: 'n', cursor: '1' };
  assert.deepEqual(query(streamUrl(url, end, null)), common);
  assert.deepEqual(query(streamUrl(url, end, { journal: 'j', received: 0 })), {
    ...common,
    journal: 'j',
    received: '0'
  });
});

test('what is pending is sent with its number until it is acknowledged', () => {
  const pending = new PendingMessages();
  const messages = [1, 2, 3].map(value => Uint8Array.from([value]).buffer);
  assert.deepEqual(
    messages.map(message => pending.add(message).number),
    [1, 2, 3]
  );
  assert.equal(pending.acknowledge(0), false);
  assert.equal(pending.acknowledge(2), true);
  assert.deepEqual([...pending], [{ number: 3, message: messages[2] }]);
  pending.acknowledge(3);
  assert.ok(pending.isEmpty);
  assert.equal(pending.add(messages[0]).number, 4);
});
