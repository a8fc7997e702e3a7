import type { KernelMessage } from '@jupyterlab/services';

import type { IEndedProcess } from './earlierProcess.js';
import { HoleEnds } from './missingMessages.js';
import { replayed } from './numbered.js';
import type { IHeld, IIndexed, Runs } from './record.js';

/** The content of a `replay`; see docs/protocols.md. */
export interface IReplayPart {
  readonly index?: readonly IIndexed[];
  /** How many bytes the journal keeps; absent from agents of the version before. */
  readonly limit?: number;
  /** Null if nothing was lost; absent from agents of the version before. */
  readonly restarted?: IEndedProcess | null;
  readonly numbers: readonly number[];
  /** Of the first part, also what of the others was gone when the question came. */
  readonly missing: Runs;
  readonly fence: number;
  readonly part: number;
  readonly parts: number;
}

/** A question that is being answered. */
export class Asked {
  /**
   * @param id - The `msg_id` of the `ask`.
   * @param held - What the page has of each cell.
   */
  constructor(
    readonly id: string,
    held: readonly (IHeld | null)[]
  ) {
    const known = held.filter(one => one !== null);
    this.requests = new Set(known.map(({ request }) => request));
    this._held = known.map(({ number }) => [number, number] as const);
  }

  /** The requests that fill cells of the page. */
  readonly requests: ReadonlySet<string>;

  readonly adopted = new Set<string>();
  /** Those of the messages that have come in the answer. */
  readonly numbers = new Set<number>();

  /** The requests in the answer that are done. */
  get done(): ReadonlySet<string> {
    return this._done;
  }

  /** The first part of the answer has come. */
  answered(index: readonly IIndexed[], missing: Runs): void {
    this._done = new Set(
      index.filter(({ state }) => state === 'done').map(({ request }) => request)
    );
    // What the page has of a cell is not joined to what it lacks either.
    this._stops = new HoleEnds([...missing, ...this._held].sort(([, a], [, b]) => a - b));
  }

  /** Of a later part of the answer these messages are gone by now. */
  lacks(missing: Runs): void {
    this._stops.add(missing);
  }

  /** The next message of the answer, with its number. */
  numbered(message: KernelMessage.IMessage, number: number): KernelMessage.IMessage {
    this.numbers.add(number);
    return replayed(message, number, this._stops.isPassed(number));
  }

  private _done: ReadonlySet<string> = new Set();
  private _stops = new HoleEnds([]);
  private readonly _held: Runs;
}
