import type { ICellModel } from '@jupyterlab/cells';

import { HELD, readHeld } from '../contents/heldMetadata.js';
import type { IHeld } from '../stream/record.js';
import type { HeldOutputs } from './heldOutputs.js';

/** Keeps what the page knows of cells' outputs, and what the cells' metadata say of them, the same. */
export class HeldInMetadata {
  /** @param onRead - Called with what the metadata of a cell say that the page did not know. */
  constructor(
    private readonly _outputs: HeldOutputs,
    private readonly _onRead: (cell: ICellModel, held: IHeld | null) => void
  ) {}

  /** Cells that were loaded from the file, now or when it was reverted, hold what it says. */
  read(cells: Iterable<ICellModel>): void {
    for (const cell of cells) {
      if (this._cells.get(cell.id) !== cell) {
        this.follow(cell);
        this._take(cell, readHeld(cell.getMetadata(HELD)));
      }
    }
  }

  /** From now on the metadata of a cell change what it holds: others may fill it, and say with what. */
  follow(cell: ICellModel): void {
    this._cells.set(cell.id, cell);
    cell.metadataChanged.connect(this._onChanged);
  }

  /** Write into the metadata of cells what they hold. */
  write(cells: Iterable<ICellModel>): void {
    for (const cell of cells) {
      const held = this._outputs.of(cell.id);
      if (held) {
        cell.setMetadata(HELD, { ...held });
      }
    }
  }

  private readonly _onChanged = (cell: ICellModel, { key }: { key?: string }): void => {
    if (key !== HELD || this._cells.get(cell.id) !== cell) {
      return;
    }
    const held = readHeld(cell.getMetadata(HELD));
    const known = this._outputs.of(cell.id);
    // What this page has written itself it knows.
    if (held?.request !== known?.request || held?.number !== known?.number) {
      this._take(cell, held);
    }
  };

  private _take(cell: ICellModel, held: IHeld | null): void {
    if (held) {
      this._outputs.holds(cell.id, held);
    } else {
      this._outputs.forget(cell.id);
    }
    this._onRead(cell, held);
  }

  private readonly _cells = new Map<string, ICellModel>();
}
