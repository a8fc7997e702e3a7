import type { KernelMessage } from '@jupyterlab/services';
import { ISignal, Signal } from '@lumino/signaling';

import { type IPreparedBy, prepared, withoutForged } from '../outputs/preparedMessages.js';
import type { IReplayPart } from './asked.js';
import type { INotice } from './launchNotices.js';
import { isFleet } from './madeMessages.js';
import { type IPeople, isOnlyMine, readPeople, UNKNOWN } from '../outputs/people.js';
import type { TrustedPeople } from './trustedPeople.js';

type Message = KernelMessage.IMessage;

/**
 * Who has used a kernel, at the place of its journal to which a page has come: it marks the messages
 * into which others may have put something.
 *
 * Messages that come late are judged by who had used the kernel when it said them, not by who has now.
 */
export class KernelPeople {
  constructor(
    readonly kernelId: string,
    private readonly _trusted: TrustedPeople
  ) {
    _trusted.changed.connect(this._onTrusted);
  }

  /** Who has used the kernel's process, as far as the page has come. */
  get now(): IPeople {
    return this._now;
  }

  /** Where others may put something into what the kernel says now. */
  get by(): IPreparedBy {
    return this._by(this._now);
  }

  /** Emitted when `now` or `isMine` may have changed. */
  get changed(): ISignal<this, void> {
    return this._changed;
  }

  /** Whether what the kernel says is the user's own. */
  get isMine(): boolean {
    return this._isMine(this._now);
  }

  get me(): string | null {
    return this._trusted.me;
  }

  /**
   * The user trusts people who have used the kernel, until its process ends.
   *
   * @param people - Those whom the user has been told of.
   */
  trust(people = this._now): void {
    this._trusted.trust(this.kernelId, this._journal, people);
  }

  /** The kernel's process has ended, and nobody says who uses the next one. */
  restarted(): void {
    if (this._now.process === UNKNOWN.process) {
      this._trusted.forgetUnknown(this.kernelId);
    }
  }

  /** A gateway has said something about the stream that begins. */
  noticed(notice: INotice): void {
    if (notice.type === 'journal') {
      this._journal = notice.id as string;
    } else if (notice.type === 'people') {
      this._told = { number: Number(notice.number), people: readPeople(notice) };
    }
  }

  /** All messages up to this one have come, or were before the stream. */
  reached(number: number): void {
    if (this._told && number >= this._told.number) {
      this._become(this._told.people);
      this._told = null;
    }
  }

  /** Messages are missing: who has come meanwhile is not known before the end of what is missed. */
  lost(): void {
    this._become(UNKNOWN);
  }

  /** The connection has no cursor: nobody says who uses the kernel. */
  withoutCursor(): void {
    this._told = this._journal = null;
    this.lost();
  }

  /** A message has come; one without a number is not in the journal. */
  taken(message: Message, number?: number): Message {
    if (number !== undefined) {
      this.reached(number - 1);
    }
    if (isFleet(message)) {
      if (message.header.msg_type === ('people' as string)) {
        this._become(readPeople(message.content));
      }
      return message;
    }
    return this.isMine ? withoutForged(message) : prepared(message, this.by);
  }

  /** The first part of an answer has come, which says who has used which process. */
  answered({ people = {}, processes = [] }: IReplayPart): void {
    this._processes = [...processes]
      .reverse()
      .map(([after, process]) => [
        after,
        people[process] ? { process, users: people[process] } : UNKNOWN
      ]);
  }

  /**
   * A message of the answer, with its number in the journal: that tells which process has said it. The
   * request that it names does not, because code of users chooses that.
   */
  replayed(message: Message, number: number): Message {
    const [, people] = this._processes.find(([after]) => after < number) ?? [0, UNKNOWN];
    return this._isMine(people) ? withoutForged(message) : prepared(message, this._by(people));
  }

  /** The stream has ended. */
  stop(): void {
    this._trusted.changed.disconnect(this._onTrusted);
  }

  private _by(people: IPeople): IPreparedBy {
    return { kernel: this.kernelId, journal: this._journal, people };
  }

  private _isMine(people: IPeople): boolean {
    return isOnlyMine(people, this.me, this._trusted.of(this.kernelId, this._journal));
  }

  private _become(people: IPeople): void {
    this._now = people;
    if (people.process !== UNKNOWN.process) {
      // The trust in unknown people ends, because others may come before people are unknown again.
      this._trusted.forgetUnknown(this.kernelId);
    }
    this._changed.emit();
  }

  private readonly _onTrusted = (_: unknown, kernel: string): void => {
    if (kernel === this.kernelId) {
      this._changed.emit();
    }
  };

  private _now = UNKNOWN;
  /** What a gateway has said, and of which place of the journal. */
  private _told: { readonly number: number; readonly people: IPeople } | null = null;
  private _journal: string | null = null;
  /** Of the last answer: after which number each process began, the last one first, and who has used it. */
  private _processes: (readonly [number, IPeople])[] = [];
  private readonly _changed = new Signal<this, void>(this);
}
