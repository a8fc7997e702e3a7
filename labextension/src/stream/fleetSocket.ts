import type { KernelMessage, ServerConnection } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';

import type { SignIn } from '../user/signIn.js';
import { contentOf, headingOf } from './clientFrames.js';
import type { KernelStream } from './kernelStream.js';
import { PageSocket } from './pageSocket.js';
import { SignedInSocket } from './signedInSocket.js';
import type { IStreamSocket } from './streamState.js';
import type { Streams } from './streams.js';
import { V1_PROTOCOL } from './wire.js';

/**
 * The settings' serializer, for messages that streams have already read.
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

/** The class of websockets to give to JupyterLab: those of kernels are streams. */
export function fleetSocketClass(signIn: SignIn, streams: Streams): typeof WebSocket {
  function create(url: string | URL, protocols?: string | string[]): WebSocket {
    const kernel = kernelOf(new URL(url));
    return kernel
      ? new FleetSocket(String(url), protocols, streams.open(String(url), ...kernel))
      : new SignedInSocket(String(url), protocols, signIn);
  }
  return Object.assign(
    // `new` gives what a constructor returns.
    function (url: string | URL, protocols?: string | string[]) {
      return create(url, protocols);
    },
    { CONNECTING: 0, OPEN: 1, CLOSING: 2, CLOSED: 3 }
  ) as unknown as typeof WebSocket;
}

/** The kernel and the session that a URL connects; null if it is not a kernel's. */
function kernelOf(url: URL): [string, string] | null {
  const kernel = /\/api\/kernels\/([^/]+)\/channels$/.exec(url.pathname);
  const session = url.searchParams.get('session_id');
  return kernel && session ? [decodeURIComponent(kernel[1]), session] : null;
}

/** What JupyterLab holds of a stream: a websocket that is open for as long as the stream can go on. */
export class FleetSocket extends PageSocket implements WebSocket, IStreamSocket {
  constructor(
    url: string,
    readonly protocols: string | string[] | undefined,
    private readonly _stream: KernelStream
  ) {
    super(url);
    _stream.attach(this);
  }

  binaryType: BinaryType = 'blob';
  readonly bufferedAmount = 0;
  readonly extensions = '';

  get protocol(): string {
    return this._protocol;
  }

  get readyState(): number {
    return this._readyState;
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    if (this._readyState !== this.OPEN) {
      throw new DOMException('The websocket is not open', 'InvalidStateError');
    }
    this._note(data);
    this._stream.send(data);
  }

  close(): void {
    if (this._readyState !== this.CLOSED) {
      this._readyState = this.CLOSED;
      this._stream.detach(this);
    }
  }

  opened(protocol: string): void {
    this._protocol = protocol;
    this._readyState = this.OPEN;
    this._emit(new Event('open'));
  }

  deliver(data: unknown): void {
    const given = isMessage(data) ? this._stream.comms.given(data) : data;
    if (given !== null) {
      this._emit(new MessageEvent('message', { data: given }));
    }
  }

  closed(code: number, reason: string): void {
    if (this._readyState !== this.CLOSED) {
      this._readyState = this.CLOSED;
      this._emit(new CloseEvent('close', { code, reason, wasClean: true }));
    }
  }

  /** Have the stream know which comms are the user's own. */
  private _note(data: unknown): void {
    if (data instanceof ArrayBuffer && this._protocol === V1_PROTOCOL) {
      const { header } = headingOf(data);
      this._stream.comms.sent(header, isOfComm(header) ? contentOf(data) : {});
    } else if (typeof data === 'string') {
      const { header, content } = JSON.parse(data) as KernelMessage.IMessage;
      this._stream.comms.sent(header, content as JSONObject);
    }
  }

  private _protocol = '';
  private _readyState: number = this.CONNECTING;
}

function isOfComm({ msg_type }: { msg_type: string }): boolean {
  return msg_type === 'comm_open' || msg_type === 'comm_msg';
}

function isMessage(data: unknown): data is KernelMessage.IMessage {
  return data !== null && typeof data === 'object' && 'header' in data;
}
