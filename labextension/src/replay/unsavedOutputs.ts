import { quietly } from './quietly.js';

/**
 * Who saves what other pages' requests have said.
 *
 * All pages that show a notebook fill its cells, and one saves them: the page that ran them. In the
 * others the notebook does not count as changed, so that they do not save the same again and again.
 * A page that is left alone with the kernel saves everything.
 */
export class UnsavedOutputs {
  /**
   * @param isAlone - Whether no other page is connected to the kernel, as far as this page has heard.
   * @param askServer - Asks the server; rejects if nobody can tell.
   */
  constructor(
    private readonly _model: { dirty: boolean },
    private readonly _isAlone: () => boolean,
    private readonly _askServer: () => Promise<void>
  ) {}

  /** Make a change that another page may save. */
  change(change: () => void): void {
    if (this._model.dirty) {
      change();
      return;
    }
    quietly(this._model, () => {
      change();
      this._isUnsaved ||= this._model.dirty;
    });
  }

  /** Have what nobody else will save be saved with the next autosave. */
  settle(): void {
    if (this._isUnsaved && this._isAlone()) {
      this.saved();
      this._model.dirty = true;
    }
  }

  /** The same, by what the server says now. */
  async ask(): Promise<void> {
    if (this._isUnsaved) {
      try {
        await this._askServer();
      } catch {
        return;
      }
      this.settle();
    }
  }

  /** The file has everything. */
  saved(): void {
    this._isUnsaved = false;
  }

  private _isUnsaved = false;
}
