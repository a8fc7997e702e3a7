import { KernelMessage } from '@jupyterlab/services';

import { parentOf } from '../outputs/outputLimit.js';
import { FLEET_CHANNEL } from './madeMessages.js';
import { numberOf } from './numbered.js';

type Message = KernelMessage.IMessage;

/** So many characters are kept of texts that come again. */
const MOST_TEXT = 8_000_000;

/** What a page has got by the answer to its question. */
export interface IAnswered {
  /** The answer has everything up to this number that the page lacked. */
  readonly fence: number;
  /** The requests whose messages it has handed over from the first one. */
  readonly adopted: ReadonlySet<string>;
  /** The numbers of all messages that it has handed over. */
  readonly numbers: ReadonlySet<number>;
}

/**
 * Whether a message that came before or during an answer is in that answer. Texts are joined there; of
 * a request that the page has all of, the reply may come last, and is not in it.
 */
export function isAnswered(message: Message, { fence, adopted, numbers }: IAnswered): boolean {
  const number = numberOf(message) ?? Infinity;
  return (
    number <= fence &&
    (message.channel === (FLEET_CHANNEL as string) ||
      numbers.has(number) ||
      (message.channel === 'iopub' && adopted.has(parentOf(message))))
  );
}

/** Whether the page wants a message of an answer: of its other requests it has had them already. */
export function isWanted(message: Message, adopted: ReadonlySet<string>): boolean {
  return message.header.msg_type === 'update_display_data' || adopted.has(parentOf(message));
}

/**
 * What the kernel says to others while the page does not know yet which of it it has.
 *
 * The page's own requests and what answers none (the kernel ends, starts) do not wait.
 */
export class HeldBack {
  constructor(private readonly _sessionId: string) {}

  get waiting(): readonly Message[] {
    return this._waiting ?? [];
  }

  hold(): void {
    this._waiting ??= [];
  }

  /**
   * All that comes waits until the answer has been handed over.
   *
   * @param again - The requests whose texts come again in the answer: a page that was away for a
   * night cannot keep all of them.
   */
  holdAll(again: ReadonlySet<string> = new Set()): void {
    this.hold();
    this._isAll = true;
    this._again = again;
    this._text = 0;
  }

  /** @returns whether the message waits now. */
  takes(message: Message): boolean {
    const waits = this._waiting !== null && (this._isAll || this._isOthers(message));
    if (waits && !this._isTooMuch(message)) {
      this._waiting!.push(message);
    }
    return waits;
  }

  /** Nothing waits any more. @returns what has waited, in order. */
  release(): Message[] {
    const waited = this._waiting ?? [];
    this._waiting = null;
    this._isAll = false;
    this._again = new Set();
    return waited;
  }

  private _isOthers(message: Message): boolean {
    const { session } = message.parent_header as { session?: string };
    return (
      message.channel === (FLEET_CHANNEL as string) ||
      (message.channel === 'iopub' && !!session && session !== this._sessionId)
    );
  }

  private _isTooMuch(message: Message): boolean {
    if (!this._again.has(parentOf(message)) || !KernelMessage.isStreamMsg(message)) {
      return false;
    }
    this._text += message.content.text.length;
    return this._text > MOST_TEXT;
  }

  private _isAll = false;
  private _again: ReadonlySet<string> = new Set();
  private _text = 0;
  private _waiting: Message[] | null = null;
}
