/** More numbers in a row than a tab's storage can miss. */
export const MOST_MISSING = 100_000;

/** A message to the kernel whose arrival has not been acknowledged. */
export interface IPending {
  readonly number: number;
  readonly message: ArrayBuffer;
}

/**
 * What one end of a stream has sent and the agent has not taken yet.
 *
 * Messages are numbered 1, 2, 3 … Each is kept until it is acknowledged, so that nothing is missing
 * and nothing runs twice when a connection ends in between.
 */
export class PendingMessages implements Iterable<IPending> {
  /** @param sent - Messages of an earlier page, with their numbers. */
  constructor(sent: readonly IPending[] = []) {
    this._pending = [...sent];
    this._last = sent.length ? sent[sent.length - 1].number : 0;
  }

  get isEmpty(): boolean {
    return !this._pending.length;
  }

  [Symbol.iterator](): IterableIterator<IPending> {
    return this._pending.values();
  }

  add(message: ArrayBuffer): IPending {
    const pending = { number: (this._last += 1), message };
    this._pending.push(pending);
    return pending;
  }

  /** The agent has everything up to a number. @returns whether that is new. */
  acknowledge(number: number): boolean {
    let count = 0;
    while (count < this._pending.length && this._pending[count].number <= number) {
      count += 1;
    }
    this._pending.splice(0, count);
    return count > 0;
  }

  /**
   * Send `fill` under the numbers that are missing between what the agent has and the first. If they are
   * too many, these are not the messages that the agent waits for: nothing is sent.
   */
  fillUpFrom(acknowledged: number, fill: () => ArrayBuffer): void {
    const first = this._pending.length ? this._pending[0].number : 0;
    if (first - acknowledged > MOST_MISSING) {
      this._pending = [];
      return;
    }
    for (let number = first - 1; number > acknowledged; number -= 1) {
      this._pending.unshift({ number, message: fill() });
    }
  }

  /** Send something else in the place of a message: its number must not be missing. */
  replace(number: number, message: ArrayBuffer): void {
    const at = this._pending.findIndex(pending => pending.number === number);
    this._pending[at] = { number, message };
  }

  private _pending: IPending[];
  private _last: number;
}
