import { ServerConnection } from '@jupyterlab/services';

import { FleetSocket } from '../lib/stream/fleetSocket.js';
import { Leftovers } from '../lib/stream/leftovers.js';
import { Streams } from '../lib/stream/streams.js';
import { TrustedPeople } from '../lib/stream/trustedPeople.js';

const V1 = 'v1.kernel.websocket.jupyter.org';
const { serializer } = ServerConnection.makeSettings();

globalThis.CloseEvent ??= class CloseEvent extends Event {
  constructor(type, { code, reason }) {
    super(type);
    Object.assign(this, { code, reason });
  }
};

export const tick = (ms = 0) => new Promise(resolve => setTimeout(resolve, ms));

/** Wait until something is so. */
export async function until(isSo, what = String(isSo)) {
  for (let tries = 0; !isSo(); tries += 1) {
    if (tries > 1000) {
      throw new Error(`never: ${what}`);
    }
    await tick(5);
  }
}

let ids = 0;

/** A message of the kernel's, or of the page's. */
export function message(type, content = {}, parent = {}, channel = 'iopub', session = 'kernel') {
  ids += 1;
  return {
    channel,
    header: { msg_id: `m${ids}`, msg_type: type, session, username: '', date: '', version: '5.3' },
    parent_header: parent,
    metadata: {},
    content,
    buffers: []
  };
}

/** A request of a page with this session. */
export function request(session = 'page', type = 'execute_request', content = { code: '1' }) {
  return message(type, content, {}, 'shell', session);
}

export const print = (text, parent) => message('stream', { name: 'stdout', text }, parent.header);

function frame(sequence, acknowledged, data) {
  const packed = new Uint8Array(16 + (data?.byteLength ?? 0));
  const head = new DataView(packed.buffer);
  head.setBigUint64(0, BigInt(sequence));
  head.setBigUint64(8, BigInt(acknowledged));
  packed.set(new Uint8Array(data ?? 0), 16);
  return packed.buffer;
}

/**
 * Labs, gateways and one agent, as far as a page sees them: the agent keeps its numbers and its journal
 * over all connections.
 */
export class FakeFleet {
  /** How a connection begins: `fleet.v1`, the layout of v1, or a close code instead. */
  answers = 'fleet.v1';
  /** Whether the agent has come: before, the gateway sends only text. */
  launched = true;
  journal = 'a'.repeat(32);
  /** What the kernel was given: messages, in order. */
  taken = [];
  /** Every connection that was tried. */
  sockets = [];
  /** The query of each. */
  get queries() {
    return this.sockets.map(({ url }) => Object.fromEntries(new URL(url).searchParams));
  }
  /** What the server says of the kernel's model. */
  model = { status: 200, state: 'idle' };
  /** The nonces that living pages of the browser hold. */
  held = new Map();
  /** What the journal has lost of each part of an answer, when that is sent. */
  missing = [];
  /** Who has used the kernel, as its gateway says; null if that is of the version before. */
  people = null;
  /** What the gateway says after the first frame of the next connection. */
  afterBegin = null;
  /** Whether acknowledgments of what it takes reach the page. */
  acknowledges = true;

  get open() {
    return this.sockets.filter(({ readyState }) => readyState === 1);
  }

  /** The agent has something for the page. */
  say(what) {
    this._entries.push(serializer.serialize(what, V1));
    for (const socket of this.open) {
      this._send(socket, this._entries.length);
    }
    return this._entries.length;
  }

  text(notice) {
    this.open.forEach(socket => socket.receive(JSON.stringify(notice)));
  }

  /** All connections end. */
  cut(code = 1006, reason = '') {
    this.open.forEach(socket => socket.end(code, reason));
  }

  /** The kernel's agent and its kernel are others from now on. */
  renew() {
    this.journal = 'b'.repeat(32);
    this._entries = [];
    this._last = new Map();
    this.cut();
  }

  /** The agent connects to its gateway. */
  launch() {
    this.launched = true;
    this.open.forEach(socket => this._begin(socket));
  }

  accept(socket) {
    if (typeof this.answers === 'number') {
      if (this.answers === 1006) {
        socket.end(1006, '');
      } else {
        socket.opens('fleet.v1');
        socket.end(this.answers, 'words');
      }
      return;
    }
    const offered = [socket.protocols].flat();
    const protocol = offered.includes(this.answers) ? this.answers : V1;
    socket.opens(protocol);
    if (protocol === 'fleet.v1' && this.launched) {
      this._begin(socket);
    }
  }

  take(socket, data) {
    if (data === '{"type": "ping"}') {
      socket.receive('{"type": "pong"}');
      return;
    }
    if (socket.protocol !== 'fleet.v1') {
      this.taken.push(serializer.deserialize(data, V1));
      return;
    }
    const head = new DataView(data);
    const number = Number(head.getBigUint64(0));
    socket.acknowledged = Number(head.getBigUint64(8));
    const nonce = new URL(socket.url).searchParams.get('stream');
    const last = this._last.get(nonce) ?? 0;
    if (number === 0 || number <= last) {
      return;
    }
    if (last > 0 && number !== last + 1) {
      socket.end(1012, 'a number is missing');
      return;
    }
    this._last.set(nonce, number);
    this.taken.push(serializer.deserialize(data.slice(16), V1));
    if (this.acknowledges) {
      socket.receive(frame(0, number));
    }
  }

  /** Answer the last `ask`: the messages of these numbers, in parts. */
  replay(index, ...parts) {
    this.answer({ index }, ...parts);
  }

  /** The same, with more in the first part. */
  answer(more, ...parts) {
    const asked = this.taken.filter(({ header }) => header.msg_type === 'ask').at(-1);
    const fence = this._entries.length + parts.length;
    parts.forEach((numbers, at) => {
      const answer = message('replay', {}, asked.header, 'fleet', '');
      const missing = this.missing[at] ?? [];
      answer.content = { part: at + 1, parts: parts.length, fence, numbers, missing };
      if (at === 0) {
        Object.assign(answer.content, { limit: 2000, ...more });
      }
      answer.buffers = numbers.map(number => new DataView(this._entries[number - 1]));
      this.say(answer);
    });
  }

  get asked() {
    return this.taken.filter(({ header }) => header.msg_type === 'ask');
  }

  /** The requests that reached the kernel. */
  get ran() {
    return this.taken
      .filter(({ header }) => header.msg_type === 'execute_request')
      .map(({ header }) => header.msg_id);
  }

  _begin(socket) {
    const query = new URL(socket.url).searchParams;
    socket.receive(JSON.stringify({ type: 'journal', id: this.journal }));
    if (this.people) {
      const number = this._entries.length;
      socket.receive(JSON.stringify({ type: 'people', ...this.people, number }));
    }
    const same = query.get('journal') === this.journal;
    const start = query.has('received')
      ? same
        ? Number(query.get('received'))
        : 0
      : this._entries.length;
    const last = this._last.get(query.get('stream')) ?? 0;
    socket.receive(frame(start, last));
    if (this.afterBegin) {
      socket.receive(JSON.stringify(this.afterBegin));
      this.afterBegin = null;
    }
    for (let number = start + 1; number <= this._entries.length; number += 1) {
      this._send(socket, number);
    }
  }

  _send(socket, number) {
    if (socket.protocol === 'fleet.v1') {
      socket.receive(frame(number, 0, this._entries[number - 1]));
    } else {
      socket.receive(this._entries[number - 1]);
    }
  }

  _entries = [];
  _last = new Map();
}

/** Have new websockets connect to this fleet. */
export function connectTo(fleet) {
  globalThis.WebSocket = class extends FakeWebSocket {
    constructor(url, protocols) {
      super(url, protocols, fleet);
    }
  };
}

class FakeWebSocket {
  readyState = 0;
  protocol = '';
  acknowledged = 0;

  constructor(url, protocols, fleet) {
    Object.assign(this, { url, protocols, fleet });
    fleet.sockets.push(this);
    queueMicrotask(() => this.readyState === 0 && fleet.accept(this));
  }

  opens(protocol) {
    this.readyState = 1;
    this.protocol = protocol;
    this.onopen?.();
  }

  receive(data) {
    if (this.readyState === 1) {
      this.onmessage?.({ data });
    }
  }

  send(data) {
    if (this.readyState !== 1) {
      throw new Error('not open');
    }
    this.fleet.take(this, data);
  }

  end(code, reason) {
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  close() {
    this.readyState = 3;
  }
}

/** The `sessionStorage` of a tab. */
export class FakeStorage {
  _items = new Map();
  get length() {
    return this._items.size;
  }
  key(at) {
    return [...this._items.keys()][at] ?? null;
  }
  getItem(key) {
    return this._items.get(key) ?? null;
  }
  setItem(key, value) {
    this._items.set(key, value);
  }
  removeItem(key) {
    this._items.delete(key);
  }
}

/** What a page of the browser holds, by nonce. */
class FakeLivingPages {
  constructor(held) {
    this._held = held;
  }
  hold(nonce) {
    this._held.set(nonce, this);
  }
  async claim(nonce) {
    const isFree = (this._held.get(nonce) ?? this) === this;
    if (isFree) {
      this.hold(nonce);
    }
    return isFree;
  }
  release(nonce) {
    if (this._held.get(nonce) === this) {
      this._held.delete(nonce);
    }
  }
  /** The page ends. */
  end() {
    for (const nonce of [...this._held.keys()]) {
      this.release(nonce);
    }
  }
}

/** Of a browser in which no other page lives. */
export const onlyPage = () => new FakeLivingPages(new Map());

/** A page's login, which tests end. */
export class FakeSignIn {
  user = 'ann';
  refused = 0;
  checked = 0;
  _waiting = null;

  ended() {
    this.refused += 1;
    this._waiting ??= Promise.withResolvers?.() ?? withResolvers();
  }
  back() {
    this._waiting?.resolve();
    this._waiting = null;
  }
  whenIn() {
    return this._waiting?.promise ?? Promise.resolve();
  }
  async check() {
    this.checked += 1;
    return true;
  }
}

function withResolvers() {
  const made = {};
  made.promise = new Promise(resolve => (made.resolve = resolve));
  return made;
}

/** A page of one tab with a connection of JupyterLab's to the kernel. */
export class FakePage {
  /** What JupyterLab's socket said: messages, and `open` and closes. */
  heard = [];
  events = [];
  states = [];

  constructor(fleet, { storage = new FakeStorage(), session = 'page', url = 'ws://lab' } = {}) {
    connectTo(fleet);
    this.signIn = new FakeSignIn();
    this.living = new FakeLivingPages(fleet.held);
    this.session = session;
    this.url = `${url}/api/kernels/kernel-1/channels?session_id=${session}`;
    this.streams = new Streams({
      signIn: this.signIn,
      serializer,
      trusted: new TrustedPeople(storage, 'ann'),
      leftovers: new Leftovers(storage, () => this.signIn.user, this.living),
      untracked: ['kernel_info_request'],
      askModel: async () => fleet.model
    });
    this.stream = this.streams.open(this.url, 'kernel-1', session);
    this.stream.stateChanged.connect((_, state) => this.states.push(state.is));
    this.connect();
  }

  /** JupyterLab makes a socket, as it does first and after each restart. */
  connect() {
    this.socket = new FleetSocket(this.url, [V1], this.stream);
    this.socket.onopen = () => this.events.push('open');
    this.socket.onclose = ({ code }) => this.events.push(code);
    this.socket.onmessage = ({ data }) => this.heard.push(data);
  }

  send(what) {
    this.socket.send(serializer.serialize(what, V1));
    return what;
  }

  /** The texts that were printed. */
  get printed() {
    return this.heard
      .filter(({ header }) => header?.msg_type === 'stream')
      .map(({ content }) => content.text)
      .join('');
  }

  types(type) {
    return this.heard.filter(({ header }) => header?.msg_type === type);
  }

  /** The tab is closed or reloaded: no code of the page runs any more. */
  leave() {
    this.living.end();
    for (const socket of this.socket._stream ? [this.stream] : []) {
      socket._connector.stop();
      socket._incoming.stop();
    }
  }
}
