const quiet = new WeakSet<object>();

/**
 * Change a document without the mark that it has changes to save, if it has none yet: nobody has edited
 * it.
 */
export function quietly(model: { dirty: boolean }, change: () => void): void {
  const { dirty } = model;
  const isWithin = quiet.has(model);
  quiet.add(model);
  try {
    change();
  } finally {
    if (!isWithin) {
      quiet.delete(model);
    }
    model.dirty = dirty;
  }
}

/** Whether the change of a document that is under way is a quiet one. */
export function isQuiet(model: object): boolean {
  return quiet.has(model);
}
