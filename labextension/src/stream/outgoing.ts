import { UUID } from '@lumino/coreutils';

import { headingOf } from './clientFrames.js';
import { FLEET_CHANNEL } from './madeMessages.js';
import type { IEnd, ILeftover, Leftovers } from './leftovers.js';
import { IPending, MOST_MISSING, PendingMessages } from './pendingMessages.js';

/**
 * What one end of a stream sends: kept, also over a reload of the page, until the agent has it.
 *
 * It belongs to the journal of one agent: another agent is not sent what this one may have.
 */
export class Outgoing implements IEnd, Iterable<IPending> {
  /** @param nothing - A message that stands for one that is not sent after all. */
  private constructor(
    readonly kernelId: string,
    readonly sessionId: string,
    readonly nonce: string,
    private readonly _leftovers: Leftovers,
    private readonly _nothing: () => ArrayBuffer
  ) {
    this._pending = new PendingMessages();
  }

  /** A new end, of this page. */
  static anew(
    kernelId: string,
    sessionId: string,
    leftovers: Leftovers,
    nothing: () => ArrayBuffer
  ): Outgoing {
    const nonce = UUID.uuid4().replace(/-/g, '');
    const outgoing = new Outgoing(kernelId, sessionId, nonce, leftovers, nothing);
    leftovers.hold(outgoing);
    return outgoing;
  }

  /** What an earlier page left. */
  static of(left: ILeftover, leftovers: Leftovers, nothing: () => ArrayBuffer): Outgoing {
    const { kernelId, sessionId, nonce } = left;
    const outgoing = new Outgoing(kernelId, sessionId, nonce, leftovers, nothing);
    outgoing._journal = left.journal;
    outgoing._pending = new PendingMessages(withoutHoles(left, nothing));
    return outgoing;
  }

  /** The journal of the agent that may have had some of it; null if nothing has been sent. */
  get journal(): string | null {
    return this._journal;
  }

  /** @returns whether this can be sent to an agent with this journal. */
  belongsTo(journal: string): boolean {
    if (this._journal !== null && this._journal !== journal) {
      return false;
    }
    if (this._journal === null) {
      this._journal = journal;
      this._leftovers.setJournal(this, journal);
    }
    return true;
  }

  get isEmpty(): boolean {
    return this._pending.isEmpty;
  }

  [Symbol.iterator](): IterableIterator<IPending> {
    return this._pending[Symbol.iterator]();
  }

  /**
   * A question is asked anew by the next page, and so need not be kept for it. Nor is an answer to
   * the kernel, which may be a password.
   */
  add(message: ArrayBuffer, isKept = true): IPending {
    const pending = this._pending.add(message);
    const keeps = isKept && headingOf(message).channel !== 'stdin';
    this._leftovers.keep(this, pending.number, keeps ? message : null);
    return pending;
  }

  acknowledge(number: number): void {
    if (this._pending.acknowledge(number)) {
      this._leftovers.acknowledge(this, number);
    }
  }

  /**
   * The agent, which has everything up to a number, takes no numbers with holes: what follows could
   * not be kept. One that knows nothing of this end takes any number first.
   */
  fillUpFrom(number: number): void {
    if (number > 0) {
      this._pending.fillUpFrom(number, this._nothing);
    }
  }

  /** Take back what may be: its number is sent with nothing. @returns the messages. */
  takeBack(may: (message: ArrayBuffer) => boolean): ArrayBuffer[] {
    const taken = [...this].filter(({ message }) => may(message));
    for (const { number } of taken) {
      this._pending.replace(number, this._nothing());
      this._leftovers.keep(this, number, null);
    }
    return taken.map(({ message }) => message);
  }

  /** Nothing of it will be sent. @returns what kernels would have had. */
  drop(): ArrayBuffer[] {
    const dropped = [...this].map(({ message }) => message);
    this._pending = new PendingMessages();
    this._leftovers.drop(this);
    this._journal = null;
    return dropped.filter(message => headingOf(message).channel !== FLEET_CHANNEL);
  }

  private _pending: PendingMessages;
  private _journal: string | null = null;
}

/**
 * Agents take numbers without holes only: what could not be kept is sent as nothing. What comes after
 * more of it than a page can have sent is dropped.
 */
function withoutHoles({ messages }: ILeftover, nothing: () => ArrayBuffer): IPending[] {
  const all: IPending[] = [];
  for (const { number, message } of messages) {
    const next = (all[0]?.number ?? number) + all.length;
    if (number - next > MOST_MISSING) {
      break;
    }
    for (let hole = next; hole < number; hole += 1) {
      all.push({ number: hole, message: nothing() });
    }
    all.push({ number, message: message ?? nothing() });
  }
  return all;
}
