import type { Contents } from '@jupyterlab/services';

/** A version of a file as the server lists it, as far as the page needs to know it. */
export interface IKeptVersion {
  version: string;
  created: string;
}

/**
 * What somebody can go back to, oldest first: versions, and checkpoints that are older than those.
 *
 * @param checkpoints - The versions that somebody marked, with the time of the mark.
 * @param versions - The newest versions, marked or not.
 */
export function choices(
  checkpoints: readonly Contents.ICheckpointModel[],
  versions: readonly IKeptVersion[]
): Contents.ICheckpointModel[] {
  const newest = versions.map(({ version, created }) => ({ id: version, last_modified: created }));
  const known = new Set(newest.map(({ id }) => id));
  return [...checkpoints.filter(({ id }) => !known.has(id)), ...newest];
}
