import type { IHeld, IIndexed, IRecord, Runs } from '../stream/record.js';
import { isSource } from './sourceHash.js';

/**
 * What a page does with the outputs of a cell whose kernel went on without it:
 *
 * - `follow`: they are complete; what may still come is added to them;
 * - `refill`: they are emptied, and all of the request's messages come from the first one;
 * - `append`: the journal has lost the first ones, or any that the page has heard; what is later is
 *   added.
 */
export type Refill = 'follow' | 'refill' | 'append';

/**
 * @param held - What the page has of the cell.
 * @param isHeard - Whether the page has heard it itself: later messages can change its displays.
 */
export function refillOf(
  record: IIndexed,
  held: IHeld | null,
  missing: Runs,
  isHeard: boolean
): Refill {
  if (record.held && record.state === 'done') {
    return 'follow';
  }
  if (held?.request !== record.request || held.number < record.first) {
    return 'refill';
  }
  const end = isHeard ? held.number : record.first;
  return missing.some(([from, to]) => from <= end && record.first <= to) ? 'append' : 'refill';
}

/** By how much the clocks of those who run cells may differ. */
const CLOCKS_DIFFER_MS = 600_000;

/**
 * Whether a cell holds a later request than this one, of another kernel or of a connection without a
 * journal: then its outputs are nowhere but in the page.
 *
 * @param journal - The journal that has the request. In it, its latest request of a cell is the later
 * one, whatever the clocks of those who sent them say.
 * @param now - `Date.now()`: what a cell holds of the future was sent by a clock that was wrong.
 */
export function isOlder(
  record: Pick<IRecord, 'request' | 'sent'>,
  held: IHeld | null,
  journal: string | null,
  now: number
): boolean {
  if (!held?.sent || !record.sent || held.request === record.request) {
    return false;
  }
  const isOfJournal = held.journal !== undefined && held.journal === journal;
  const sent = Date.parse(held.sent);
  return !isOfJournal && sent <= now + CLOCKS_DIFFER_MS && Date.parse(record.sent) < sent;
}

/**
 * Whether a cell shows what a request says that names it.
 *
 * Pages that show one notebook can have different code in one cell: whoever opens it types into the same
 * empty one at its end. No cell shows what other code said than its own. But it goes on with what it
 * shows already, though a person has edited it since.
 *
 * @param code - What the cell has now.
 */
export function isOfCell(
  { request, source }: Pick<IRecord, 'request' | 'source'>,
  code: string,
  held: IHeld | null
): boolean {
  return held?.request === request || source === null || isSource(code, source);
}

/** A code cell as the page has it. */
export interface ICodeCell {
  readonly id: string;
  /** The SHA-256 of its code, in hexadecimal. */
  readonly source: string;
  readonly held: IHeld | null;
}

/**
 * Which cell of a notebook each request belongs to, if the notebook's file names no cells (nbformat
 * before 4.5): the page has other ids for them each time.
 *
 * The one that the saved cell names; all others in the order in which they were run, if there are as
 * many as cells and each ran what its cell says.
 *
 * @returns cell ids by request.
 */
export function cellsByOrder(
  records: readonly Pick<IRecord, 'request' | 'source'>[],
  cells: readonly ICodeCell[]
): Map<string, string> {
  const found = new Map<string, string>();
  for (const { id, held } of cells) {
    if (held && records.some(({ request }) => request === held.request)) {
      found.set(held.request, id);
    }
  }
  const named = new Set(found.values());
  const rest = cells.filter(({ id }) => !named.has(id));
  const others = records.filter(({ request }) => !found.has(request));
  if (rest.length === others.length && others.every((one, at) => one.source === rest[at].source)) {
    others.forEach(({ request }, at) => found.set(request, rest[at].id));
  }
  return found;
}

/**
 * The highest number of what cells hold of a kernel's requests.
 *
 * @param records - All requests of the kernel.
 * @param held - What the cells hold.
 */
export function newestHeld(
  records: readonly Pick<IRecord, 'request'>[],
  held: Iterable<IHeld | null>
): number {
  const known = new Set(records.map(({ request }) => request));
  let newest = 0;
  for (const one of held) {
    // Numbers of another kernel's journal say nothing of this one.
    if (one && known.has(one.request)) {
      newest = Math.max(newest, one.number);
    }
  }
  return newest;
}

/**
 * Whether a person is told of a request whose cell is not in the notebook: it has not ended, or it said
 * something after all that the cells hold.
 *
 * @param newest - See `newestHeld`.
 */
export function isNewsOfGone(record: Pick<IRecord, 'state' | 'last'>, newest: number): boolean {
  return record.state !== 'done' || record.last > newest;
}
