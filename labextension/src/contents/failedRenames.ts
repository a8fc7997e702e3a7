const failed = new WeakSet<object>();

/**
 * The result of a rename, whose error is remembered.
 *
 * The file browser shows it, or asks whether to overwrite. The rename of an open document, in the menu
 * of its tab, drops it.
 */
export async function rememberFailure<T>(rename: Promise<T>): Promise<T> {
  try {
    return await rename;
  } catch (error) {
    if (error instanceof Error) {
      failed.add(error);
    }
    throw error;
  }
}

/** Whether a rename has failed with this error. */
export function isOfRename(error: unknown): error is Error {
  return error instanceof Error && failed.has(error);
}
