/**
 * The key in a cell's metadata that says which request the saved outputs are of, and up to which
 * number of the kernel's journal: `{"request", "number", "journal", "sent", "source"}`.
 */
export const HELD = 'jupyter_fleet';

/** So much of a hash is saved: enough to tell the versions of one cell apart. */
export const SOURCE_LENGTH = 16;

/** What a cell's outputs hold of the kernel's journal. */
export interface IHeldMetadata {
  readonly request: string;
  readonly number: number;
  /** The id of that journal; absent as long as the request has said nothing. */
  readonly journal?: string;
  /** When the request was sent, ISO 8601; absent if nobody has said it. */
  readonly sent?: string;
  /** The start of the SHA-256 of the code that it ran, in hexadecimal; absent if it is not known. */
  readonly source?: string;
}

/** Read a cell's metadata; null if they do not say it. */
export function readHeld(value: unknown): IHeldMetadata | null {
  if (value === null || typeof value !== 'object') {
    return null;
  }
  const { request, number, journal, sent, source } = value as Record<string, unknown>;
  if (typeof request !== 'string' || typeof number !== 'number') {
    return null;
  }
  return {
    request,
    number,
    ...(typeof journal === 'string' && { journal }),
    ...(typeof sent === 'string' && { sent }),
    // Of nothing else could it be told whether it is the start.
    ...(typeof source === 'string' && source && { source })
  };
}
