import type { ISignal } from '@lumino/signaling';

/** What is needed of a document's or console's session context. */
export interface IOpenedContext {
  readonly isDisposed: boolean;
  readonly path: string;
  readonly disposed: ISignal<unknown, unknown>;
}

/**
 * The documents that are being opened and have not looked for their first kernel yet.
 *
 * A console that is opened for one of them would find no session at its path, and ask for a kernel.
 */
export class FirstKernels<T extends IOpenedContext> {
  /** A document was opened: it will look for its first kernel when it has been read. */
  opened(context: T): void {
    if (this._settled.has(context) || this._waits.has(context) || context.isDisposed) {
      return;
    }
    let settle!: () => void;
    const settled = new Promise<void>(resolve => (settle = resolve));
    this._waits.set(context, { settled, settle });
    context.disposed.connect(() => this.settled(context));
  }

  /** The context has a kernel, or is known to get none by itself, or is gone. */
  settled(context: T): void {
    this._settled.add(context);
    this._waits.get(context)?.settle();
    this._waits.delete(context);
  }

  /** Wait for the documents at the context's path that were opened before it. */
  async before(context: T): Promise<void> {
    for (const [other, { settled }] of [...this._waits]) {
      if (other === context) {
        return;
      }
      if (other.path === context.path) {
        await settled;
      }
    }
  }

  private readonly _waits = new Map<T, { settled: Promise<void>; settle: () => void }>();
  private readonly _settled = new WeakSet<T>();
}
