import type { Version } from './heldVersions.js';

/**
 * The server's response when it rejects a save: the file's current version.
 *
 * `version` is null when there is no such file any more.
 */
export interface IConflict {
  version: Version | null;
  last_modified: string | null;
  saved_by: string | null;
}

/** What a person decided. */
export type Choice = 'cancel' | 'revert' | 'overwrite';

/**
 * Read the body of a 409.
 *
 * @returns null if the body is not that of a version conflict (other errors are 409 as well).
 */
export function readConflict(body: unknown): IConflict | null {
  if (body === null || typeof body !== 'object' || !('version' in body)) {
    return null;
  }
  const { version, last_modified, saved_by } = body as Record<string, unknown>;
  if (version !== null && typeof version !== 'string' && typeof version !== 'number') {
    return null;
  }
  return {
    version,
    last_modified: typeof last_modified === 'string' ? last_modified : null,
    saved_by: typeof saved_by === 'string' && saved_by ? saved_by : null
  };
}
