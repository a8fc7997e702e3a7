import type { KernelMessage } from '@jupyterlab/services';

import { HoleEnds } from './missingMessages.js';
import { replayed } from './numbered.js';
import type { IIndexed, Runs } from './record.js';

/** A question that is being answered. */
export class Asked {
  /**
   * @param id - The `msg_id` of the `ask`.
   * @param requests - Those that fill cells of the page.
   */
  constructor(
    readonly id: string,
    readonly requests: ReadonlySet<string>
  ) {}

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
    this._holes = new HoleEnds(missing);
  }

  /** The next message of the answer, with its number. */
  numbered(message: KernelMessage.IMessage, number: number): KernelMessage.IMessage {
    this.numbers.add(number);
    return replayed(message, number, this._holes.isPassed(number));
  }

  private _done: ReadonlySet<string> = new Set();
  private _holes = new HoleEnds([]);
}
