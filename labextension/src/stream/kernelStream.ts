import { ISignal, Signal } from '@lumino/signaling';

import type { IHeld, IIndexed, IRecord, Runs } from './record.js';

/** How things stand between this page and a kernel. */
export type StreamState =
  /** The kernel's agent has never answered yet. */
  | { readonly is: 'connecting' }
  | { readonly is: 'connected' }
  /**
   * Cut since a time (`Date.now()`), and being tried again. `network`: no lab answers; `owner`: the
   * gateway that owns the kernel changes; `unreachable`: the servers say why, in `reason`.
   */
  | {
      readonly is: 'cut';
      readonly since: number;
      readonly why: 'network' | 'owner' | 'unreachable';
      readonly reason: string;
    }
  | { readonly is: 'signedOut' }
  | { readonly is: 'notAllowed'; readonly reason: string }
  /** The kernel does not exist any more. */
  | { readonly is: 'ended'; readonly reason: string };

/** What this page and a kernel say to each other: it outlives its connections. */
export class KernelStream {
  constructor(
    readonly kernelId: string,
    readonly sessionId: string
  ) {}

  get state(): StreamState {
    return this._state;
  }

  readonly stateChanged: ISignal<this, StreamState> = new Signal<this, StreamState>(this);

  /** The id of the kernel's journal; null if it has none, or has not told yet. */
  get journal(): string | null {
    return this._journal;
  }

  /** A request has come to the kernel, from whichever session, or is done, or adopted. */
  readonly announced: ISignal<this, IRecord> = new Signal<this, IRecord>(this);

  /**
   * Ask what the page's cells lack, and have JupyterLab handle it.
   *
   * Until the answer, iopub messages of other sessions' requests are held back: from the stream's
   * start until `release` or, if nobody asks, for 8 s. Of the answer, JupyterLab gets the messages of
   * those requests that `begin` has adopted, from their first one, and changes of displays; of
   * what was held back, all else. A stream without a journal resolves at once, and asks nothing.
   *
   * @param cells - What each code cell holds, by cell id. Called again when the question was lost (by a
   * restart), and after a gap in the journal.
   * @param begin - Called before the messages of an answer are handed over. It adopts.
   * @returns when the first answer has been handled.
   */
  replay(
    _cells: () => Record<string, IHeld | null>,
    _begin: (index: readonly IIndexed[], missing: Runs) => void
  ): Promise<void> {
    return Promise.resolve();
  }

  /** Nobody asks here: what was held back goes on. */
  release(): void {}

  /**
   * JupyterLab is about to "send" this request, which an earlier page has sent: it is not sent. Within
   * `begin`, the cell must be empty: the request's messages come from the first one.
   */
  adopt(_request: string): void {}

  /** A user restarts the kernel: what has not been acknowledged shall not run. */
  dropPending(): void {}

  private _state: StreamState = { is: 'connecting' };
  private _journal: string | null = null;
}
