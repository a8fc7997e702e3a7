import { ServerConnection } from '@jupyterlab/services';

import { FakeFleet, message } from './fakeFleet.js';

const V1 = 'v1.kernel.websocket.jupyter.org';
const { serializer } = ServerConnection.makeSettings();

/**
 * A fleet whose agent sends when a test says so, and whose journal loses what the test has it lose. It
 * answers questions, and says what is missing, as agents do (`requests/replay.py`, `sender.py`).
 */
export class LossyFleet extends FakeFleet {
  /** How many messages of a cell are in one part of an answer. */
  partLength = 5;
  /** A question that has not been answered. */
  isAsked = false;

  get last() {
    return this._entries.length;
  }

  /** Whether everything there is was sent to the page. */
  get isSent() {
    return !this.isAsked && this.open.length > 0 && this._sent === this.last;
  }

  /** The kernel, or the agent, has said something: it is in the journal, and is sent later. */
  say(what) {
    const number = this._entries.push(what);
    const record = this._records.get(what.parent_header.msg_id);
    if (record && what.channel !== 'fleet') {
      this._index(record, what, number);
    }
    return number;
  }

  /** The journal does not have this number any more. */
  lose(number) {
    this._lost.add(number);
  }

  isLost(number) {
    return this._lost.has(number);
  }

  /** Send the page so many of the numbers that it has not got. */
  deliver(count) {
    for (let left = count; left && this.open.length && this._sent < this.last; left -= 1) {
      const number = this._sent + 1;
      if (this._lost.has(number) && number > this._told) {
        // The connection is made anew, with a gap.
        this.cut();
        return;
      }
      this._sent = number;
      if (!this._lost.has(number)) {
        this._send(this.open[0], number);
      }
    }
  }

  take(socket, data) {
    const before = this.taken.length;
    super.take(socket, data);
    for (const { header, metadata } of this.taken.slice(before)) {
      if (header.msg_type === 'ask') {
        this.isAsked = true;
      } else if (header.msg_type === 'execute_request') {
        this._request(header, metadata.cellId);
      }
    }
  }

  /** Answer the last question: nothing comes between the parts. */
  answer() {
    this.isAsked = false;
    const { header, content } = this.asked.at(-1);
    const records = [...this._records.values()].map(record => this._shown(record, content.cells));
    const lacking = records.filter(({ held, state }) => !held || state !== 'done');
    const numbers = lacking
      .flatMap(({ request }) => this._numbers.get(request))
      .sort((a, b) => a - b);
    const held = Object.values(content.cells).map(one => one?.number ?? 0);
    const parts = [[]];
    for (const number of numbers.filter(one => !this._lost.has(one))) {
      if (parts.at(-1).length === this.partLength) {
        parts.push([]);
      }
      parts.at(-1).push(number);
    }
    const missing = numbers.filter(one => this._lost.has(one));
    const fence = this.last + parts.length;
    parts.forEach((part, at) => {
      const replay = message('replay', {}, header, 'fleet', '');
      replay.content = { part: at + 1, parts: parts.length, fence };
      if (at === 0) {
        Object.assign(replay.content, { limit: 2e6, index: records, restarted: null });
      }
      const stops = [...missing, ...held];
      this._entries.push({ replay, part, missing: at ? [] : missing, stops });
    });
  }

  _begin(socket) {
    const query = new URL(socket.url).searchParams;
    const has = query.has('received');
    this._sent = has ? Number(query.get('received')) : this.last;
    const lost = [...this._lost].filter(number => number > this._sent);
    this._told = Math.max(this._sent, ...lost);
    const entries = this._entries;
    this._entries = has ? [] : entries;
    if (has && lost.length) {
      socket.receive(JSON.stringify({ type: 'journal', id: this.journal }));
      socket.receive(JSON.stringify({ type: 'gap', from: 1, to: this._told, limit: 2e6 }));
    }
    super._begin(socket);
    this._entries = entries;
  }

  _send(socket, number) {
    const entry = this._entries[number - 1];
    const entries = this._entries;
    const data = serializer.serialize(entry.replay ? this._part(entry) : entry, V1);
    this._entries = { [number - 1]: data };
    super._send(socket, number);
    this._entries = entries;
  }

  /** A part of an answer, made of what there is when it is sent. */
  _part({ replay, part, missing, stops }) {
    const lost = part.filter(number => this._lost.has(number));
    const merged = [];
    let last = 0;
    for (const number of part.filter(one => !this._lost.has(one))) {
      const entry = this._entries[number - 1];
      const before = merged.at(-1)?.[1];
      const isStopped = [...stops, ...lost].some(stop => last <= stop && stop < number);
      if (isPrint(entry) && before && isPrint(before) && sameParent(entry, before) && !isStopped) {
        const text = before.content.text + entry.content.text;
        merged[merged.length - 1] = [number, { ...before, content: { ...before.content, text } }];
      } else {
        merged.push([number, entry]);
      }
      last = number;
    }
    const content = {
      ...replay.content,
      numbers: merged.map(([number]) => number),
      missing: [...missing, ...lost].sort((a, b) => a - b).map(number => [number, number])
    };
    const buffers = merged.map(([, entry]) => new DataView(serializer.serialize(entry, V1)));
    return { ...replay, content, buffers };
  }

  _request({ msg_id: request, session }, cell) {
    const known = { request, cell, session, source: null, sent: null, process: 1 };
    const said = { state: 'queued', count: null, first: 0, last: 0, reply: null, asks: null };
    this._records.set(request, { ...known, ...said, adopted: null });
    this._numbers.set(request, []);
    this._announce(request);
  }

  _announce(request) {
    const shown = this._shown(this._records.get(request), {});
    this.say(message('request', shown, {}, 'fleet', ''));
  }

  _index(record, { channel, content, header }, number) {
    this._numbers.get(record.request).push(number);
    if (channel !== 'iopub') {
      record.reply = content.status;
      record.count = content.execution_count;
      return;
    }
    record.first ||= number;
    record.last = number;
    if (header.msg_type === 'status') {
      const isDone = content.execution_state === 'idle';
      record.state = isDone ? 'done' : 'running';
      if (isDone) {
        this._announce(record.request);
      }
    }
  }

  _shown(record, cells) {
    const has = cells[record.cell];
    const held = has?.request === record.request && has.number >= record.last;
    return { ...record, held, gone: !(record.cell in cells) };
  }

  _records = new Map();
  /** The numbers of all messages of each request. */
  _numbers = new Map();
  _lost = new Set();
  _sent = 0;
  /** Up to which number the page knows that there is a gap. */
  _told = 0;
}

const isPrint = ({ header }) => header.msg_type === 'stream';
const sameParent = (one, other) => one.parent_header.msg_id === other.parent_header.msg_id;
