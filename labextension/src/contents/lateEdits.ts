import type { DocumentRegistry } from '@jupyterlab/docregistry';

import { isQuiet } from './quietly.js';

/** What of a document's context tells about edits and saves. */
export type SavedContext = Pick<DocumentRegistry.Context, 'saveState'> & {
  readonly model: Pick<DocumentRegistry.IModel, 'contentChanged' | 'dirty'>;
};

/**
 * Keeps a document that was edited during a save marked as changed.
 *
 * JupyterLab reads what it saves when the save starts, and takes the document for saved when it ends.
 * Without the mark, closing the document loses these edits with no question, and autosaves skip them.
 */
export class LateEdits {
  constructor(private readonly _model: { dirty: boolean }) {}

  /** The document changes. */
  changed(): void {
    this._edits += isQuiet(this._model) ? 0 : 1;
  }

  /** A save starts. */
  started(): void {
    // JupyterLab reads the document in this task; before that others may still change it, to format it.
    queueMicrotask(() => this._starts.push(this._edits));
  }

  /** The file has what was there when the save started. Saves of one document end in their order. */
  completed(): void {
    const saved = this._starts.shift() ?? 0;
    if (this._edits !== saved) {
      this._model.dirty = true;
    }
  }

  /** A save failed. Which one is not known: the latest one is assumed. */
  failed(): void {
    this._starts.pop();
  }

  /** A save ends with the file as the server has it, which the document shows. */
  reverted(): void {
    this._starts.fill(this._edits);
  }

  private _edits = 0;
  /** By each save under way: how many edits there were when it started. */
  private readonly _starts: number[] = [];
}

/** Keep the edits of a document that are made while it is saved. */
export function keepLateEdits({ model, saveState }: SavedContext): LateEdits {
  const edits = new LateEdits(model);
  model.contentChanged.connect(() => edits.changed());
  saveState.connect((_, state) => {
    if (state === 'started') {
      edits.started();
    } else if (state === 'failed') {
      edits.failed();
    } else if (state === 'completed') {
      edits.completed();
    }
  });
  return edits;
}
