import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';

import { Wire } from '../lib/stream/wire.js';

class Socket {
  static made = [];
  sent = [];
  bufferedAmount = 0;
  isClosed = false;
  constructor(url, protocols) {
    Object.assign(this, { url, protocols });
    Socket.made.push(this);
  }
  open(protocol) {
    this.protocol = protocol;
    this.onopen();
  }
  send(data) {
    this.sent.push(data);
  }
  close() {
    this.isClosed = true;
  }
}

let events;

function dial(mostUnanswered = 2) {
  events = [];
  const wire = new Wire('ws://lab', ['fleet.v1'], mostUnanswered, {
    opened: protocol => events.push(['opened', protocol]),
    received: data => events.push(['received', data]),
    closed: (code, reason) => events.push(['closed', code, reason])
  });
  return [wire, Socket.made.at(-1)];
}

beforeEach(() => {
  globalThis.WebSocket = Socket;
  mock.timers.enable({ apis: ['setTimeout'] });
});
afterEach(() => mock.timers.reset());

test('a connection that answers its pings lives', () => {
  const [, socket] = dial();
  socket.open('fleet.v1');
  for (let pings = 1; pings < 10; pings += 1) {
    mock.timers.tick(2_500);
    assert.equal(socket.sent.length, pings);
    socket.onmessage({ data: '{"type": "pong"}' });
  }
  assert.equal(socket.isClosed, false);
});

test('one that is silent for about 6 s is cut, and told of once', () => {
  const [wire, socket] = dial();
  socket.open('fleet.v1');
  mock.timers.tick(2_500);
  mock.timers.tick(2_500);
  assert.equal(socket.isClosed, false);
  mock.timers.tick(2_500);
  assert.equal(socket.isClosed, true);
  assert.deepEqual(events.slice(1), [['closed', 1006, 'silent']]);
  wire.end(1000, 'again');
  assert.equal(events.length, 2);
});

test('one that may be silent for longer is cut later', () => {
  const [, socket] = dial(4);
  socket.open('fleet.v1');
  for (let pings = 1; pings <= 4; pings += 1) {
    mock.timers.tick(2_500);
    assert.equal(socket.sent.length, pings);
  }
  mock.timers.tick(2_500);
  assert.equal(socket.isClosed, true);
});

test('one that takes a long message is not silent for as long as it does', () => {
  const [, socket] = dial();
  socket.open('fleet.v1');
  for (let left = 10; left > 0; left -= 1) {
    socket.bufferedAmount = left;
    mock.timers.tick(2_500);
  }
  assert.equal(socket.isClosed, false);
  mock.timers.tick(2_500);
  mock.timers.tick(2_500);
  mock.timers.tick(2_500);
  assert.equal(socket.isClosed, true);
});

test('a page that was busy or asleep for long does not take that for silence', () => {
  const [, socket] = dial();
  socket.open('fleet.v1');
  mock.timers.tick(2_500);
  // The timer of a page that sleeps fires once, however late.
  mock.timers.tick(2_500);
  socket.onmessage({ data: '{"type": "pong"}' });
  mock.timers.tick(2_500);
  assert.equal(socket.isClosed, false);
});

test('a handshake that nobody answers ends after 10 s', () => {
  dial();
  mock.timers.tick(10_000);
  assert.deepEqual(events, [['closed', 1006, 'no answer']]);
});

test('without fleet.v1 nothing is pinged', () => {
  const [, socket] = dial();
  socket.open('v1.kernel.websocket.jupyter.org');
  mock.timers.tick(60_000);
  assert.deepEqual(socket.sent, []);
  assert.equal(socket.isClosed, false);
});

test('one that was dropped says nothing more', () => {
  const [wire, socket] = dial();
  socket.open('fleet.v1');
  wire.drop();
  assert.equal(socket.onmessage, null);
  assert.equal(socket.isClosed, true);
  assert.deepEqual(events, [['opened', 'fleet.v1']]);
});
