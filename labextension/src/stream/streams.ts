import { Token } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import type { KernelStream } from './kernelStream.js';

/** The streams of this page: one for each connection of JupyterLab to a kernel. */
export class Streams {
  /** The stream of a kernel and the `clientId` of a connection to it. */
  get(kernelId: string, sessionId: string): KernelStream | null {
    return this._streams.get(`${kernelId}/${sessionId}`) ?? null;
  }

  [Symbol.iterator](): IterableIterator<KernelStream> {
    return this._streams.values();
  }

  readonly added: ISignal<this, KernelStream> = new Signal<this, KernelStream>(this);

  private readonly _streams = new Map<string, KernelStream>();
}

/** The streams of this page; null on a server without the fleet. */
export const IStreams = new Token<Streams | null>(
  'jupyter-fleet:IStreams',
  'What this page and its kernels say to each other.'
);
