import type { KernelMessage } from '@jupyterlab/services';

import { parentOf } from '../outputs/outputLimit.js';
import type { IEndedProcess } from './earlierProcess.js';
import { madeMessage } from './madeMessages.js';
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
  /** Who has used which process of those in the index; absent from agents of the version before. */
  readonly people?: Readonly<Record<number, readonly (string | null)[]>>;
  /** After which number of the journal each process began; absent from agents of the version before. */
  readonly processes?: readonly (readonly [number, number])[];
  readonly numbers: readonly number[];
  /** Of the first part, also what of the others was gone when the question came. */
  readonly missing: Runs;
  readonly fence: number;
  readonly part: number;
  readonly parts: number;
}

/** What a page asks: what its cells hold, and what to do before the answer is handed over. */
export interface IQuestion {
  /**
   * What each code cell holds, by cell id. Called again when the question was lost (by a restart),
   * after a gap in the journal, and after a connection without a cursor.
   */
  readonly cells: () => Record<string, IHeld | null>;
  /** Called before the messages of an answer are handed over. It adopts. */
  readonly begin: (index: readonly IIndexed[], missing: Runs) => void;
  /** Called with what the journal has lost of a later part, before what follows that. */
  readonly lacks: (missing: Runs) => void;
  /** Called when the first answer has been handled. */
  readonly answered: () => void;
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
    const done = index.filter(({ state }) => state === 'done');
    this._done = new Set(done.map(({ request }) => request));
    this._ended = done.filter(({ held }) => !held);
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
    if (message.header.msg_type === 'execute_reply') {
      this._replied.add(parentOf(message));
    } else if (isIdle(message)) {
      this._idle.add(parentOf(message));
    }
    return replayed(message, number, this._stops.isPassed(number));
  }

  /** The answer is complete: what ends its requests, where the journal has lost that. */
  lostEnds(session: string): KernelMessage.IMessage[] {
    return this._ended
      .filter(({ request }) => this.adopted.has(request))
      .flatMap(({ request, reply: status, count }) => {
        const parent = { msg_id: request };
        const reply = { status, execution_count: count };
        const idle = { execution_state: 'idle' };
        // A reply that is not in the index comes later.
        const isReplied = status === null || this._replied.has(request);
        return [
          ...(isReplied ? [] : [madeMessage(session, 'shell', 'execute_reply', reply, parent)]),
          ...(this._idle.has(request)
            ? []
            : [madeMessage(session, 'iopub', 'status', idle, parent)])
        ];
      });
  }

  /** Of those that are done, the requests that the answer is to have to their ends. */
  private _ended: readonly IIndexed[] = [];
  private readonly _replied = new Set<string>();
  private readonly _idle = new Set<string>();
  private _done: ReadonlySet<string> = new Set();
  private _stops = new HoleEnds([]);
  private readonly _held: Runs;
}

function isIdle({ header, content }: KernelMessage.IMessage): boolean {
  // Code of users may have published anything.
  const said = content as { execution_state?: unknown } | null;
  return header.msg_type === 'status' && said?.execution_state === 'idle';
}
