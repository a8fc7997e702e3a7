import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';

/** A cell that was run and has not been sent to a kernel yet. */
export interface IWaitingCell {
  /** The cell's id in its notebook. */
  readonly id: string;
  /** Take it back: it will not run. */
  cancel(): void;
}

/**
 * The cells that wait for their kernel, for each notebook in the order in which they were run.
 *
 * Whoever keeps them until the kernel takes them writes here; what shows or cancels them reads here
 * and knows nothing of how they get to the kernel.
 *
 * @typeParam T - What stands for a notebook.
 */
export class WaitingCells<T extends object> {
  /** The cells of a notebook have changed. */
  get changed(): ISignal<this, T> {
    return this._changed;
  }

  /** Note that a cell waits, until the result is disposed. */
  add(notebook: T, cell: IWaitingCell): IDisposable {
    this._cells.set(notebook, [...this.of(notebook), cell]);
    this._changed.emit(notebook);
    return new DisposableDelegate(() => {
      this._cells.set(
        notebook,
        this.of(notebook).filter(other => other !== cell)
      );
      this._changed.emit(notebook);
    });
  }

  of(notebook: T): readonly IWaitingCell[] {
    return this._cells.get(notebook) ?? [];
  }

  /** Take back all cells of a notebook, or the one with this id; the last one first. */
  cancel(notebook: T, id?: string): void {
    for (const cell of [...this.of(notebook)].reverse()) {
      if (id === undefined || cell.id === id) {
        cell.cancel();
      }
    }
  }

  private readonly _cells = new WeakMap<T, readonly IWaitingCell[]>();
  private readonly _changed = new Signal<this, T>(this);
}
