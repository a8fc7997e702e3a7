import { PING_MS, SILENT } from './silence.js';

/** The subprotocol of a stream that survives its connections. */
export const FLEET_PROTOCOL = 'fleet.v1';
/** What JupyterLab speaks. */
export const V1_PROTOCOL = 'v1.kernel.websocket.jupyter.org';

/** A server that hangs takes a connection, and answers nothing: for minutes, if a browser may. */
const HANDSHAKE_MS = 10_000;

/** What a connection tells of itself. */
export interface IWireEvents {
  /** It is open, under this subprotocol; empty if none was selected. */
  opened(protocol: string): void;
  received(data: string | ArrayBuffer): void;
  /** It has ended. Never called again, nor is any other. */
  closed(code: number, reason: string): void;
}

/**
 * One real websocket. Where `fleet.v1` is spoken it is watched: a browser cannot send pings, so these
 * are texts that the lab answers.
 */
export class Wire {
  /** @param mostUnanswered - How many pings may stay without an answer. */
  constructor(
    url: string,
    protocols: string | string[] | undefined,
    mostUnanswered: number,
    events: IWireEvents
  ) {
    this._events = events;
    this._mostUnanswered = mostUnanswered;
    this._socket = protocols === undefined ? new WebSocket(url) : new WebSocket(url, protocols);
    this._socket.binaryType = 'arraybuffer';
    this._timer = setTimeout(() => this.end(1006, 'no answer'), HANDSHAKE_MS);
    this._socket.onopen = () => {
      this._isOpen = true;
      clearTimeout(this._timer);
      if (this._socket.protocol === FLEET_PROTOCOL) {
        this._timer = setTimeout(() => this._ping(), PING_MS);
      }
      events.opened(this._socket.protocol);
    };
    this._socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      this._unanswered = 0;
      events.received(event.data);
    };
    this._socket.onclose = ({ code, reason }) => this.end(code, reason);
  }

  get isOpen(): boolean {
    return this._isOpen;
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this._socket.send(data);
  }

  /** Close it, and report it as ended. */
  end(code: number, reason: string): void {
    if (this.drop()) {
      this._events.closed(code, reason);
    }
  }

  /** Close it without a word. @returns whether it had not ended. */
  drop(): boolean {
    if (this._ended) {
      return false;
    }
    this._ended = true;
    this._isOpen = false;
    clearTimeout(this._timer);
    this._socket.onopen = this._socket.onmessage = this._socket.onclose = null;
    this._socket.close();
    return true;
  }

  private _ping(): void {
    if (this._socket.bufferedAmount < this._unsent) {
      // The other end takes what the page sends.
      this._unanswered = 0;
    }
    if (this._unanswered >= this._mostUnanswered) {
      this.end(1006, SILENT);
      return;
    }
    this._unanswered += 1;
    this._socket.send('{"type": "ping"}');
    this._unsent = this._socket.bufferedAmount;
    this._timer = setTimeout(() => this._ping(), PING_MS);
  }

  private readonly _events: IWireEvents;
  private readonly _socket: WebSocket;
  private _timer: ReturnType<typeof setTimeout>;
  private readonly _mostUnanswered: number;
  private _unanswered = 0;
  /** Bytes that waited to be sent at the last ping. */
  private _unsent = 0;
  private _isOpen = false;
  private _ended = false;
}
