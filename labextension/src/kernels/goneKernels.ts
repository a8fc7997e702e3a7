import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel, Session } from '@jupyterlab/services';

import { NO_SUCH_KERNEL } from '../stream/reconnecting.js';
import type { Streams } from '../stream/streams.js';

/** How often the server is asked whether it still lists a kernel that is being ended. */
const PAUSE_MS = 300;

/**
 * Whether JupyterLab takes a kernel for dead because the server does not list it any more: it was deleted,
 * and can not be started again.
 *
 * @param model - What JupyterLab knows of the kernel.
 * @param running - The kernels that the server lists.
 */
export function isForgotten(
  { id, execution_state, reason }: Partial<Kernel.IModel>,
  running: Iterable<{ readonly id: string }>
): boolean {
  return execution_state !== 'dead' && !reason && ![...running].some(one => one.id === id);
}

/** What leaving a kernel needs of JupyterLab's session context. */
export type LeavingContext = Pick<ISessionContext, 'isDisposed'> & {
  readonly session: {
    readonly kernel: { readonly id: string; readonly status?: Kernel.Status } | null;
  } | null;
  readonly sessionManager: Pick<Session.IManager, 'refreshRunning'>;
};

/**
 * The kernels whose end the page has heard by their websockets, or JupyterLab by the server's list.
 *
 * JupyterLab tries to connect to them for seconds, and keeps what is run meanwhile for a kernel that will
 * never take it.
 */
export class GoneKernels {
  /** @param streams - Null on a server without the fleet: there no kernel is known to be gone. */
  constructor(streams: Pick<Streams, 'added'> | null, pause = PAUSE_MS) {
    this._pause = pause;
    streams?.added.connect((_, stream) => {
      stream.stateChanged.connect((_, state) => {
        if (state.is === 'ended' && state.code === NO_SUCH_KERNEL) {
          this._gone.add(stream.kernelId);
        } else if (state.is === 'connected') {
          // A dead kernel that is started again keeps its ID.
          this._gone.delete(stream.kernelId);
        }
      });
    });
  }

  /** Whether the document's kernel has been ended, and the document still has it. */
  isGone({ session }: Pick<LeavingContext, 'session'>): boolean {
    const kernel = session?.kernel;
    return !!kernel && (this._gone.has(kernel.id) || kernel.status === 'dead');
  }

  /**
   * Wait until JupyterLab knows that the document's kernel has gone.
   *
   * @param isWanted - Whether anything still waits for the document's next kernel.
   * @returns when that is so; those who wait go on in the order in which they came.
   */
  leave(context: LeavingContext, isWanted: () => boolean): Promise<void> {
    let left = this._leaving.get(context);
    if (!left) {
      left = this._leave(context, isWanted).finally(() => this._leaving.delete(context));
      this._leaving.set(context, left);
    }
    return left;
  }

  private async _leave(context: LeavingContext, isWanted: () => boolean): Promise<void> {
    while (this.isGone(context) && !context.isDisposed && isWanted()) {
      // Connections whose sessions the server does not list end.
      await context.sessionManager.refreshRunning().catch(() => undefined);
      if (this.isGone(context)) {
        await new Promise(resolve => setTimeout(resolve, this._pause));
      }
    }
  }

  private readonly _gone = new Set<string>();
  private readonly _leaving = new Map<LeavingContext, Promise<void>>();
  private readonly _pause: number;
}
