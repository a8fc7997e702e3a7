import { webAddress } from '../page/webAddress.js';

const LEAST_PX = 20;
const MOST_PX = 6000;
/** Of what a script says of its failure: enough to know it by. */
const MOST_CHARACTERS = 200;

/** What is drawn in a frame. */
export interface IFramedOutput {
  mimeType: string;
  data: string;
}

/** Whether `data` says that a frame's page listens. */
export function isReady(data: unknown): boolean {
  return (data as { fleet?: unknown } | null)?.fleet === 'frame';
}

/**
 * The height in pixels that a frame gets when it says `data`; null if it says none, or the one that
 * it has already: each redraw of a page goes through all of its frames.
 */
export function newHeight(data: unknown, held: number): number | null {
  const said = (data as { height?: unknown } | null)?.height;
  if (typeof said !== 'number' || !Number.isFinite(said)) {
    return null;
  }
  const height = boundedHeight(said);
  return height === held ? null : height;
}

export function boundedHeight(height: number): number {
  return Math.min(Math.max(height, LEAST_PX), MOST_PX);
}

/**
 * What a frame says of a script that failed in it, in one line that has no quotation marks and nothing
 * that turns the text around it; null if `data` says no such thing.
 */
export function failureOf(data: unknown): string | null {
  const said = (data as { failed?: unknown } | null)?.failed;
  if (typeof said !== 'string') {
    return null;
  }
  const line = said
    .slice(0, MOST_CHARACTERS)
    .replace(/["\p{C}\s]+/gu, ' ')
    .trim();
  return said.length > MOST_CHARACTERS ? `${line}…` : line;
}

/**
 * The address that a frame asks to open with `data`, if a page may open it; else null.
 *
 * @param hosts - The names of the page's own host, and of that of its frames.
 */
export function linkOf(data: unknown, hosts: readonly string[]): string | null {
  const open = (data as { open?: unknown } | null)?.open;
  return webAddress(open, hosts)?.href ?? null;
}
