import { quietly } from '../contents/quietly.js';

/** What the file of a notebook has, compared with this page. */
export interface IFileState {
  /** Another one after each save. */
  readonly version: string;
  /** Whether outputs of this page, and nothing else, are missing in it. */
  readonly lacksOutputs: boolean;
}

/** What is around a page that shows other pages' outputs. */
export interface ISurroundings {
  /** Whether no other page is connected to the kernel, as far as this page has heard. */
  isAlone(): boolean;
  /** Asks the server for that; rejects if nobody can tell. */
  refresh(): Promise<void>;
  /** Rejects if nobody can tell. */
  file(): Promise<IFileState>;
  /** Milliseconds within which other pages save what they have run; pages that differ in it take turns. */
  readonly patience: number;
}

/**
 * Who saves what other pages' requests have said.
 *
 * All pages that show a notebook fill its cells, and one saves them: the page that ran them. In the
 * others the notebook does not count as changed, so that they do not save the same again and again.
 * A page that is left alone with the kernel saves everything; so does, of several, the first one that
 * finds that nobody does: whoever ran the cells may be gone, or may not save by itself.
 */
export class UnsavedOutputs {
  constructor(
    private readonly _model: { dirty: boolean },
    private readonly _around: ISurroundings
  ) {}

  /** Make a change that another page may save; `isMine`: no other page will. */
  change(change: () => void, isMine = false): void {
    this._isLate ||= this._isSaving;
    const wasDirty = this._model.dirty;
    quietly(this._model, () => {
      change();
      if (!wasDirty && this._model.dirty) {
        this._isMine ||= isMine;
        this._add();
      }
    });
  }

  /** Have what nobody else will save be saved with the next autosave. */
  settle(): void {
    if (this._isUnsaved && (this._isMine || this._around.isAlone())) {
      void this._look(true);
    }
  }

  /** The same, by what the server says now. */
  async ask(): Promise<void> {
    if (this._isUnsaved) {
      try {
        await this._around.refresh();
      } catch {
        return;
      }
      this.settle();
    }
  }

  /** The notebook is being written to its file. */
  saving(): void {
    this._isSaving = true;
    this._isLate = false;
  }

  /** The file has everything that was there when it was written; or it could not be. */
  saved(isSaved: boolean): void {
    this._isSaving = false;
    if (isSaved) {
      const isMine = this._isMine;
      this._forget();
      if (this._isLate) {
        this._isMine = isMine;
        this._add();
      }
    }
  }

  /** The notebook is closed. */
  end(): void {
    this._forget();
    this._isEnded = true;
  }

  private _add(): void {
    this._isUnsaved = true;
    this._timer ??= setTimeout(() => {
      this._timer = undefined;
      void this._look(false);
    }, this._around.patience);
  }

  private _forget(): void {
    this._isUnsaved = false;
    this._isMine = false;
    clearTimeout(this._timer);
    this._timer = undefined;
  }

  /** @param isForMe - Whether nobody else is there to save what the file lacks. */
  private async _look(isForMe: boolean): Promise<void> {
    if (this._isLooking) {
      return;
    }
    this._isLooking = true;
    let file: IFileState | null = null;
    try {
      file = await this._around.file();
    } catch {
      // It is asked again.
    }
    this._isLooking = false;
    if (this._isEnded || !this._isUnsaved) {
      return;
    }
    const isSame = file?.version === this._version;
    this._version = file?.version;
    if (file && !file.lacksOutputs) {
      this._forget();
    } else if (file && (isForMe || isSame)) {
      this._forget();
      this._model.dirty = true;
    } else {
      this._add();
    }
  }

  private _isUnsaved = false;
  private _isMine = false;
  private _isLooking = false;
  private _isSaving = false;
  /** Whether something has changed since the save began that is under way. */
  private _isLate = false;
  private _isEnded = false;
  /** Of the file, when this page looked last. */
  private _version: string | undefined;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
