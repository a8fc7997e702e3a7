import type { TranslationBundle } from '@jupyterlab/translation';

import type { IRecord, Runs } from './record.js';

/** A hole in what is known of a request: so many messages, of which the last had this number. */
export interface IHole {
  readonly count: number;
  readonly last: number;
}

/**
 * The holes of each request.
 *
 * A number counts for one request only: of those that had begun and had not ended, the one that began
 * last.
 */
export function holesOf(
  records: readonly Pick<IRecord, 'request' | 'first' | 'last'>[],
  missing: Runs
): Map<string, IHole[]> {
  const holes = new Map<string, IHole[]>();
  let left = missing.map(([from, to]) => [from, to] as [number, number]);
  const lateFirst = records
    .filter(({ first, last }) => first > 0 && last >= first)
    .sort((a, b) => b.first - a.first);
  for (const { request, first, last } of lateFirst) {
    const rest: [number, number][] = [];
    const found: IHole[] = [];
    for (const [from, to] of left) {
      const [start, end] = [Math.max(from, first), Math.min(to, last)];
      if (start > end) {
        rest.push([from, to]);
        continue;
      }
      found.push({ count: end - start + 1, last: end });
      if (from < start) {
        rest.push([from, start - 1]);
      }
      if (end < to) {
        rest.push([end + 1, to]);
      }
    }
    if (found.length) {
      holes.set(request, found);
    }
    left = rest;
  }
  return holes;
}

/** What is left of holes for whoever has everything up to a number. */
export function holesBehind(holes: readonly IHole[], number: number): IHole[] {
  return holes
    .filter(({ last }) => last > number)
    .map(({ count, last }) => ({ count: Math.min(count, last - number), last }));
}

/**
 * Take the holes before a number out of a list that is in order: how many messages are missing there,
 * 0 if none. With nothing between them they are one hole to people.
 */
export function takeHoles(left: IHole[], before: number): number {
  let count = 0;
  while (left.length && left[0].last < before) {
    count += left.shift()!.count;
  }
  return count;
}

/** Tells of numbers, in ascending order, before which of them others are missing. */
export class HoleEnds {
  constructor(private _missing: Runs) {}

  /** More are missing, behind the number that was asked about last. */
  add(missing: Runs): void {
    this._missing = [...this._missing, ...missing].sort(([, a], [, b]) => a - b);
  }

  /** Whether numbers are missing between this one and the one that was asked about before. */
  isPassed(number: number): boolean {
    const before = this._passed;
    while (this._passed < this._missing.length && this._missing[this._passed][1] < number) {
      this._passed += 1;
    }
    return this._passed > before;
  }

  private _passed = 0;
}

/**
 * What stands in the place of missing messages.
 *
 * @param limit - How many bytes the kernel's journal keeps; null if nobody has said it.
 */
export function missingText(count: number, limit: number | null, trans: TranslationBundle): string {
  const missing = trans._n(
    '%2 message is missing here',
    '%2 messages are missing here',
    count,
    count.toLocaleString('en')
  );
  return limit === null
    ? trans.__("[… %1: the kernel's journal no longer has what it said …]", missing)
    : trans.__("[… %1: the kernel's journal keeps %2 …]", missing, sizeText(limit));
}

function sizeText(bytes: number): string {
  const [unit, name] = bytes < 1e6 ? [1e3, 'KB'] : [1e6, 'MB'];
  return `${Math.round(bytes / unit).toLocaleString('en')} ${name}`;
}

/** What stands in the place of messages that the store does not have. */
export function notKeptText(count: number, trans: TranslationBundle): string {
  return trans._n(
    '[… %2 message is missing here: the store does not have it. It keeps none above 8 MB …]',
    '[… %2 messages are missing here: the store does not have them. It keeps none above 8 MB …]',
    count,
    count.toLocaleString('en')
  );
}
