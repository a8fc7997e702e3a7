import { Token } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { GOOD_MS } from './connector.js';
import { KernelStream } from './kernelStream.js';
import type { IStreamSettings } from './streamState.js';

/** The streams of this page: one for each connection of JupyterLab to a kernel. */
export class Streams {
  constructor(private readonly _settings: IStreamSettings) {}

  /** The stream of a kernel and the `clientId` of a connection to it. */
  get(kernelId: string, sessionId: string): KernelStream | null {
    return this._streams.get(`${kernelId}/${sessionId}`) ?? null;
  }

  [Symbol.iterator](): IterableIterator<KernelStream> {
    return this._streams.values();
  }

  /** The stream for a websocket of JupyterLab's. */
  open(url: string, kernelId: string, sessionId: string): KernelStream {
    const known = this.get(kernelId, sessionId);
    if (known) {
      return known;
    }
    const stream = new KernelStream(kernelId, sessionId, url, this._settings);
    const key = `${kernelId}/${sessionId}`;
    this._streams.set(key, stream);
    stream.stateChanged.connect((_, state) => {
      if (state.is === 'ended') {
        this._streams.delete(key);
      } else if (state.is === 'connected') {
        this._connected.emit(stream);
        setTimeout(() => {
          if (stream.state === state) {
            // A server is back. Two streams that it does not keep must not wake each other.
            this.retryNow();
          }
        }, GOOD_MS);
      }
    });
    this._added.emit(stream);
    return stream;
  }

  get added(): ISignal<this, KernelStream> {
    return this._added;
  }

  /** A stream is connected, for the first time or again. */
  get connected(): ISignal<this, KernelStream> {
    return this._connected;
  }

  /** Something may have changed: streams that are cut are tried at once. */
  retryNow(): void {
    for (const stream of this) {
      stream.retryNow();
    }
  }

  /** A user restarts a kernel: what it has not taken yet shall not run. */
  dropPending(kernelId: string): void {
    this._settings.leftovers.dropAll(kernelId);
    for (const stream of this) {
      if (stream.kernelId === kernelId) {
        stream.dropPending();
      }
    }
  }

  private readonly _streams = new Map<string, KernelStream>();
  private readonly _connected = new Signal<this, KernelStream>(this);
  private readonly _added = new Signal<this, KernelStream>(this);
}

/** The streams of this page; null on a server without the fleet. */
export const IStreams = new Token<Streams | null>(
  'jupyter-fleet:IStreams',
  'What this page and its kernels say to each other.'
);
