import type { Cell } from '@jupyterlab/cells';
import { CodeCell } from '@jupyterlab/cells';
import type { TranslationBundle } from '@jupyterlab/translation';

const MARK = 'jp-fleet-EarlierVersion';

/** Marks the cells that were edited after they were sent to the kernel, in this page or another one. */
export class EarlierVersions {
  /** @param cells - The cells that are shown. */
  constructor(
    private readonly _cells: () => Iterable<Cell>,
    private readonly _trans: TranslationBundle
  ) {}

  /**
   * Say whether the outputs of a cell are of another version of it; `isMine`: of one that this tab has run.
   * What another page has run may be newer than what this one shows.
   */
  mark(cell: string, isOther: boolean, isMine = true): void {
    if (isOther) {
      this._marked.set(cell, isMine);
      this.update();
    } else if (this._marked.delete(cell)) {
      this.update();
    }
  }

  /** Show the marks where cells or their widgets have changed. */
  update(): void {
    if (!this._marked.size && !this._isShown) {
      return;
    }
    this._isShown = this._marked.size > 0;
    for (const cell of this._cells()) {
      if (!(cell instanceof CodeCell)) {
        continue;
      }
      const shown = cell.node.querySelector(`:scope > .${MARK}`);
      if (!this._marked.has(cell.model.id) || cell.model.outputs.length === 0) {
        shown?.remove();
      } else if (!shown) {
        const line = document.createElement('div');
        line.className = MARK;
        line.textContent = this._marked.get(cell.model.id)
          ? this._trans.__('From an earlier version of this cell')
          : this._trans.__('From another version of this cell');
        cell.node.querySelector(':scope > .jp-Cell-outputWrapper')?.before(line);
      }
    }
  }

  private readonly _marked = new Map<string, boolean>();
  private _isShown = false;
}
