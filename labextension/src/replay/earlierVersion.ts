import type { Cell } from '@jupyterlab/cells';
import { CodeCell } from '@jupyterlab/cells';
import type { TranslationBundle } from '@jupyterlab/translation';

import { isSource } from './sourceHash.js';

const MARK = 'jp-fleet-EarlierVersion';

/** What was run of a cell whose text was another one when the page learned of it. */
interface IRun {
  /** The start of the `sourceHash` of what was run. */
  readonly source: string;
  readonly isMine: boolean;
  /** The cell's text when it was last compared. */
  text: string;
  isOther: boolean;
}

/** Marks the cells that were edited after they were sent to the kernel, in this page or another one. */
export class EarlierVersions {
  /** @param cells - The cells that are shown. */
  constructor(
    private readonly _cells: () => Iterable<Cell>,
    private readonly _trans: TranslationBundle
  ) {}

  /**
   * Say of which code the outputs of a cell are: it is marked as long as it has another text.
   *
   * @param source - The code's `sourceHash`, or the start of it; null if nobody knows.
   * @param text - What the cell has now. If that is the same, it is never marked: JupyterLab shows what
   * is edited while a person looks.
   * @param isMine - Whether this tab has run it. What another page has run may be newer than what this
   * one shows.
   */
  mark(cell: string, source: string | null, text: string, isMine = true): void {
    if (source !== null && !isSource(text, source)) {
      this._runs.set(cell, { source, isMine, text, isOther: true });
      this.update();
    } else {
      this.forget(cell);
    }
  }

  /** The outputs of a cell are of what it has now. */
  forget(cell: string): void {
    if (this._runs.delete(cell)) {
      this.update();
    }
  }

  /** Show the marks where cells or their widgets have changed. */
  update(): void {
    if (!this._runs.size && !this._isShown) {
      return;
    }
    this._isShown = this._runs.size > 0;
    for (const cell of this._cells()) {
      if (!(cell instanceof CodeCell)) {
        continue;
      }
      const shown = cell.node.querySelector(`:scope > .${MARK}`);
      const run = this._runs.get(cell.model.id);
      if (!run || cell.model.outputs.length === 0 || !isOther(cell, run)) {
        shown?.remove();
      } else if (!shown) {
        this._show(cell, run);
      }
    }
  }

  private _show(cell: CodeCell, { isMine }: IRun): void {
    const outputs = cell.node.querySelector(':scope > .jp-Cell-outputWrapper');
    if (!outputs) {
      // JupyterLab draws cells when they are about to be seen.
      void cell.ready.then(() => this.update());
      return;
    }
    const line = document.createElement('div');
    line.className = MARK;
    line.textContent = isMine
      ? this._trans.__('From an earlier version of this cell')
      : this._trans.__('From another version of this cell');
    outputs.before(line);
  }

  private readonly _runs = new Map<string, IRun>();
  private _isShown = false;
}

function isOther({ model }: CodeCell, run: IRun): boolean {
  const text = model.sharedModel.getSource();
  if (text !== run.text) {
    run.text = text;
    run.isOther = !isSource(text, run.source);
  }
  return run.isOther;
}
