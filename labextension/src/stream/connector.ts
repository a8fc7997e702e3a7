import type { SignIn } from '../user/signIn.js';
import { withUser } from './addresses.js';
import {
  codeOfStatus,
  MOST_REFUSED,
  Outcome,
  outcomeOf,
  pauseBefore,
  RIGHTS_PAUSE_MS
} from './reconnecting.js';
import { mostUnanswered, silencesAfter } from './silence.js';
import { Wire } from './wire.js';

/** A connection that was served for less did not work: it is tried again less and less often. */
export const GOOD_MS = 1_000;

export interface IAddress {
  readonly url: string;
  readonly protocols: string | string[] | undefined;
}

export interface IConnectorEvents {
  /** A connection is about to be made. */
  prepare(): Promise<void>;
  /** Where to connect next. */
  address(): IAddress;
  opened(protocol: string): void;
  received(data: string | ArrayBuffer): void;
  /** There is no connection any more. @returns whether to try again. */
  cut(outcome: Outcome, code: number, reason: string): boolean;
}

/**
 * Keeps a stream connected: one connection at a time, tried again for as long as that has a meaning, and
 * never while nobody is signed in.
 */
export class Connector {
  /** @param askStatus - With which HTTP status the server answers for this kernel; null for none. */
  constructor(
    private readonly _signIn: SignIn,
    private readonly _askStatus: () => Promise<number | null>,
    private readonly _events: IConnectorEvents
  ) {}

  /** Connect, unless there is a connection. What is being waited for before that is not. */
  connect(): void {
    if (!this._stopped && !this._wire) {
      this._failed = 0;
      this._after(0);
    }
  }

  /** End the connection, if there is one, and begin another one. */
  redial(): void {
    this.disconnect();
    this.connect();
  }

  /** End the connection, if there is one, and all attempts. */
  disconnect(): void {
    this._attempt += 1;
    clearTimeout(this._timer);
    this._wire?.drop();
    this._wire = null;
  }

  /** The other end serves this stream. */
  served(): void {
    this._refused = 0;
    this._servedAt = performance.now();
  }

  /** Never connect again. */
  stop(): void {
    this._stopped = true;
    this.disconnect();
  }

  get isOpen(): boolean {
    return this._wire?.isOpen ?? false;
  }

  send(data: string | ArrayBufferLike | Blob | ArrayBufferView): void {
    this._wire?.send(data);
  }

  private _after(pause: number): void {
    const attempt = (this._attempt += 1);
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      void this._dialWhenReady(attempt);
    }, pause);
  }

  private async _dialWhenReady(attempt: number): Promise<void> {
    await this._signIn.whenIn();
    if (attempt === this._attempt) {
      await this._events.prepare();
    }
    if (attempt === this._attempt) {
      this._dial();
    }
  }

  private _dial(): void {
    const { url, protocols } = this._events.address();
    let opened: number | null = null;
    const patience = mostUnanswered(this._silences);
    this._wire = new Wire(withUser(url, this._signIn.user), protocols, patience, {
      opened: protocol => {
        opened = performance.now();
        this._refused = 0;
        this._events.opened(protocol);
      },
      received: data => this._events.received(data),
      closed: (code, reason) => {
        this._wire = null;
        const lived = opened === null ? 0 : performance.now() - opened;
        this._silences = silencesAfter(this._silences, { code, reason }, lived);
        void this._ended(code, reason, opened !== null);
      }
    });
  }

  private async _ended(code: number, reason: string, opened: boolean): Promise<void> {
    const attempt = this._attempt;
    if (performance.now() - this._servedAt >= GOOD_MS) {
      // The first attempt after a good connection is at once.
      this._failed = 0;
    }
    this._servedAt = Infinity;
    this._refused += opened ? 0 : 1;
    if (this._refused >= MOST_REFUSED) {
      this._refused = 0;
      const status = await this._askStatus();
      if (attempt !== this._attempt) {
        return;
      }
      code = (status === null ? null : codeOfStatus(status)) ?? code;
    }
    const outcome = outcomeOf(code);
    const again = this._events.cut(outcome, code, reason);
    if (outcome.then === 'signIn') {
      this._signIn.ended();
    } else if (outcome.then === 'rights') {
      // The page learns its user's role.
      void this._signIn.check();
    }
    if (again && !this._stopped && attempt === this._attempt) {
      this._after(outcome.then === 'rights' ? RIGHTS_PAUSE_MS : this._pause(outcome));
    }
  }

  private _pause(outcome: Outcome): number {
    const pause = pauseBefore(this._failed, Math.random());
    this._failed += outcome.then === 'plain' ? 0 : 1;
    return pause;
  }

  private _wire: Wire | null = null;
  private _timer: ReturnType<typeof setTimeout> | undefined;
  /** Changes with each attempt, so that earlier ones know that they are over. */
  private _attempt = 0;
  private _failed = 0;
  /** The connections in a row that silence has ended. */
  private _silences = 0;
  private _servedAt = Infinity;
  private _refused = 0;
  private _stopped = false;
}
