import type { Kernel } from '@jupyterlab/services';

import { TabSet } from '../page/tabSet.js';
import { tabStorage } from '../page/tabStorage.js';
import type { IEndedProcess } from '../stream/earlierProcess.js';
import type { KernelStream } from '../stream/kernelStream.js';
import type { Streams } from '../stream/streams.js';
import type { StreamState } from '../stream/streamState.js';

/** How things stand between this page and the kernel of one document. */
export class KernelReach {
  /** @param changed - Called after each change. */
  constructor(
    private readonly _streams: Streams | null,
    private readonly _changed: () => void
  ) {
    this._seen = new TabSet(tabStorage(), 'jupyter-fleet:seen-restarts');
    _streams?.added.connect(this._onAdded);
  }

  /** Null while the document has no kernel, or nothing has been heard of it. */
  get state(): StreamState | null {
    return this._stream?.state ?? null;
  }

  /** Why the stream has ended for good; empty if it has not, or nobody has said. */
  get endReason(): string {
    const state = this.state;
    return state?.is === 'ended' ? state.reason : '';
  }

  /** Why the kernel was restarted by others; null if it was not, or somebody has seen it. */
  get restartReason(): string | null {
    return this._unseen?.reason ?? null;
  }

  /** Which user has done that; null if nobody has, or it is not known. */
  get restartedBy(): string | null {
    return this._unseen?.by ?? null;
  }

  private get _unseen(): IEndedProcess | null {
    const lost = this._stream?.lost;
    return lost && !this._seen.has(this._restartId) ? lost : null;
  }

  /** A person has read that it was. */
  seeRestart(): void {
    if (this._stream?.lost) {
      this._seen.add(this._restartId);
    }
  }

  /**
   * How things stand by now: whoever has this page before them when the kernel is dead, or restarts it
   * there, knows what a restart has cost.
   */
  note(isDead: boolean): void {
    if (isDead) {
      this._deadKernel = this._kernel?.id ?? null;
    } else if (
      this._stream?.lost?.isOwn ||
      (this._deadKernel !== null && this._deadKernel === this._kernel?.id)
    ) {
      this.seeRestart();
    }
  }

  private get _restartId(): string {
    return `${this._stream?.journal} ${this._stream?.lost?.process}`;
  }

  /** This is the document's kernel from now on. */
  follow(kernel: Kernel.IKernelConnection | null | undefined): void {
    this._kernel = kernel ?? null;
    this._set(kernel ? (this._streams?.get(kernel.id, kernel.clientId) ?? null) : null);
  }

  /** A person does not want to wait for the next attempt. */
  retry(): void {
    if (this._kernel?.connectionStatus === 'disconnected') {
      // JupyterLab has given up, as it does without a cursor.
      void this._kernel.reconnect();
    }
    this._streams?.retryNow();
  }

  dispose(): void {
    this._streams?.added.disconnect(this._onAdded);
    this._set(null);
  }

  private _set(stream: KernelStream | null): void {
    if (stream !== this._stream) {
      this._stream?.stateChanged.disconnect(this._changed);
      this._stream = stream;
      stream?.stateChanged.connect(this._changed);
    }
  }

  private readonly _onAdded = (_: Streams, { kernelId, sessionId }: KernelStream): void => {
    if (this._kernel?.id === kernelId && this._kernel.clientId === sessionId) {
      this.follow(this._kernel);
    }
  };

  private readonly _seen: TabSet;
  private _kernel: Kernel.IKernelConnection | null = null;
  /** The ID of the kernel that was dead while it was the document's. */
  private _deadKernel: string | null = null;
  private _stream: KernelStream | null = null;
}
