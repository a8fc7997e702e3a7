import { quietly } from './quietly.js';

/**
 * Who saves what other pages' requests have said.
 *
 * All pages that show a notebook fill its cells, and one saves them: the page that ran them. In the
 * others the notebook does not count as changed, so that they do not save the same again and again.
 * A page that is left alone with the kernel saves everything.
 */
export class UnsavedOutputs {
  /** @param isAlone - Whether no other page is connected to the kernel. */
  constructor(
    private readonly _model: { dirty: boolean },
    private readonly _isAlone: () => boolean
  ) {}

  /**
   * Make a change that another page may save.
   *
   * @param isReplay - Whether it is one of many: it is decided after the last one.
   */
  change(change: () => void, isReplay: boolean): void {
    if (this._model.dirty || (!isReplay && this._isAlone())) {
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

  /** The file has everything. */
  saved(): void {
    this._isUnsaved = false;
  }

  private _isUnsaved = false;
}
