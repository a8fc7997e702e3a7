import type { KernelMessage, ServerConnection } from '@jupyterlab/services';

import { ExecutionState } from './executionState.js';
import { MessageQueue } from './messageQueue.js';
import { OutputLimit } from '../outputs/outputLimit.js';
import type { SignIn } from '../user/signIn.js';

/** Close codes: the login is over, or its role is too low; see docs/protocols.md. */
const SIGNED_OUT = 4401;
const NOT_ALLOWED = 4403;
/** How many kernels' counts of output are remembered over a new connection. */
const REMEMBERED = 20;
/**
 * When the server is asked again about a kernel that was busy when the page connected: first soon, as
 * it may have been busy with what the page asks of each kernel.
 */
const ASK_AGAIN_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;

/**
 * The settings' serializer, for messages that `FleetSocket` has already read.
 */
export function parsedOnce(
  serializer: ServerConnection.ISettings['serializer']
): ServerConnection.ISettings['serializer'] {
  return {
    serialize: (message, protocol) => serializer.serialize(message, protocol),
    deserialize: (data, protocol) =>
      isMessage(data) ? data : serializer.deserialize(data, protocol)
  };
}

/**
 * The class of websockets to give to JupyterLab.
 *
 * - While nobody is signed in a new websocket waits in the state CONNECTING. JupyterLab keeps what
 *   it wants to send, and goes on by itself when the websocket opens.
 * - What a kernel says passes through a queue that keeps the page usable (`MessageQueue`) and within
 *   bounds (`OutputLimit`).
 * - The page learns whether the kernel is busy when it connects (`ExecutionState`).
 *
 * @param askState - Asks the server for the `execution_state` of the kernel whose model is at a URL;
 * null if it cannot tell.
 * @param untracked - The types of requests whose statuses JupyterLab ignores.
 */
export function fleetSocketClass(
  signIn: SignIn,
  serializer: ServerConnection.ISettings['serializer'],
  askState: (modelUrl: string) => Promise<string | null>,
  untracked: readonly string[]
): typeof WebSocket {
  const limits = new Map<string, OutputLimit>();

  /** One for each kernel and session: the count goes on over a new connection. */
  function limitOf(url: string): OutputLimit {
    const limit = limits.get(url) ?? new OutputLimit();
    limits.delete(url);
    limits.set(url, limit);
    for (const old of limits.keys()) {
      if (limits.size <= REMEMBERED) {
        break;
      }
      limits.delete(old);
    }
    return limit;
  }

  class FleetSocket extends EventTarget implements WebSocket {
    static readonly CONNECTING = 0;
    static readonly OPEN = 1;
    static readonly CLOSING = 2;
    static readonly CLOSED = 3;

    constructor(url: string | URL, protocols?: string | string[]) {
      super();
      this.url = String(url);
      if (new URL(this.url).pathname.endsWith('/channels')) {
        this._queue = new MessageQueue(limitOf(this.url), message => {
          this._emit(new MessageEvent('message', { data: message }));
        });
      }
      void signIn.whenIn().then(() => {
        if (this._ended) {
          this._emit(new CloseEvent('close', { code: 1006 }));
        } else {
          this._dial(protocols);
        }
      });
    }

    readonly CONNECTING = 0;
    readonly OPEN = 1;
    readonly CLOSING = 2;
    readonly CLOSED = 3;

    readonly url: string;
    onopen: ((this: WebSocket, event: Event) => unknown) | null = null;
    onmessage: ((this: WebSocket, event: MessageEvent) => unknown) | null = null;
    onerror: ((this: WebSocket, event: Event) => unknown) | null = null;
    onclose: ((this: WebSocket, event: CloseEvent) => unknown) | null = null;

    get binaryType(): BinaryType {
      return this._binaryType;
    }
    set binaryType(value: BinaryType) {
      this._binaryType = value;
      if (this._socket) {
        this._socket.binaryType = value;
      }
    }

    get bufferedAmount(): number {
      return this._socket?.bufferedAmount ?? 0;
    }

    get extensions(): string {
      return this._socket?.extensions ?? '';
    }

    get protocol(): string {
      return this._socket?.protocol ?? '';
    }

    get readyState(): number {
      if (this._socket) {
        return this._socket.readyState;
      }
      return this._ended ? this.CLOSED : this.CONNECTING;
    }

    send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
      if (!this._socket) {
        throw new DOMException('The websocket is not open', 'InvalidStateError');
      }
      this._socket.send(data);
    }

    close(code?: number, reason?: string): void {
      this._ended = true;
      clearTimeout(this._askTimer);
      this._queue?.clear();
      this._socket?.close(code, reason);
    }

    private _dial(protocols?: string | string[]): void {
      const socket = (this._socket = new WebSocket(withUser(this.url, signIn.user), protocols));
      socket.binaryType = this._binaryType;
      socket.onopen = () => {
        this._emit(new Event('open'));
        if (this._queue) {
          this._state = new ExecutionState(untracked);
          void this._askState();
        }
      };
      socket.onerror = () => this._emit(new Event('error'));
      socket.onmessage = (event: MessageEvent<ArrayBuffer>) => this._receive(event);
      socket.onclose = event => {
        if (event.code === SIGNED_OUT) {
          signIn.ended();
        } else if (event.code === NOT_ALLOWED) {
          // The page learns its user's role.
          void signIn.check();
        }
        clearTimeout(this._askTimer);
        this._queue?.flush();
        const { code, reason, wasClean } = event;
        this._emit(new CloseEvent('close', { code, reason, wasClean }));
      };
    }

    private _receive(event: MessageEvent<ArrayBuffer>): void {
      let message: KernelMessage.IMessage | null = null;
      if (this._queue) {
        try {
          message = serializer.deserialize(event.data, this.protocol);
        } catch {
          // JupyterLab reads it once more, and says what is wrong with it.
        }
      }
      if (message) {
        const state = this._state;
        this._queue!.push(state?.heard(message) ?? message);
        const status = state?.answered(message);
        if (status) {
          this._queue!.push(status);
        }
        if (state?.isUncertain && !this._asking) {
          void this._askState();
        }
      } else {
        this._emit(new MessageEvent('message', { data: event.data }));
      }
    }

    /** Ask whether the kernel is busy until its messages tell. */
    private async _askState(wait = ASK_AGAIN_MS): Promise<void> {
      this._asking = true;
      const url = new URL(this.url);
      url.protocol = url.protocol.replace('ws', 'http');
      url.pathname = url.pathname.replace(/\/channels$/, '');
      url.search = '';
      const told = await askState(url.href);
      if (this.readyState !== this.OPEN) {
        return;
      }
      const status = told === null ? null : this._state!.told(told);
      if (status) {
        this._queue!.push(status);
      }
      this._asking = this._state!.isUncertain;
      if (this._asking) {
        const next = Math.min(2 * wait, LONGEST_WAIT_MS);
        this._askTimer = setTimeout(() => void this._askState(next), wait);
      }
    }

    /** Dispatch an event to listeners and to the property of its name, as websockets do. */
    private _emit(event: Event): void {
      const property = `on${event.type}` as 'onopen' | 'onclose';
      (this[property] as ((this: WebSocket, event: Event) => unknown) | null)?.call(this, event);
      this.dispatchEvent(event);
    }

    private _socket: WebSocket | null = null;
    private _queue: MessageQueue | null = null;
    private _state: ExecutionState | null = null;
    private _asking = false;
    private _askTimer: ReturnType<typeof setTimeout> | undefined;
    private _binaryType: BinaryType = 'blob';
    private _ended = false;
  }

  return FleetSocket;
}

/** Websockets cannot have headers, so the query names the page's user. */
function withUser(url: string, user: string | null): string {
  if (user === null) {
    return url;
  }
  const sign = url.includes('?') ? '&' : '?';
  return `${url}${sign}fleet_user=${encodeURIComponent(user)}`;
}

function isMessage(data: unknown): data is KernelMessage.IMessage {
  return data !== null && typeof data === 'object' && 'header' in data;
}
