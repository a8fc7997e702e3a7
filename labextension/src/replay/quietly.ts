/** Change a document without the mark that it has changes to save, if it has none yet. */
export function quietly(model: { dirty: boolean }, change: () => void): void {
  const { dirty } = model;
  try {
    change();
  } finally {
    model.dirty = dirty;
  }
}
