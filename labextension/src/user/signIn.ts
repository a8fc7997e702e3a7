import { steadyTime } from '../page/steadyTime.js';

/**
 * Whether the browser is signed in as the person whom this page belongs to.
 *
 * - `in`: as far as anybody has told.
 * - `checking`: a server has refused a request or ended a websocket; who is signed in is being asked.
 * - `out`: nobody is signed in.
 * - `other`: somebody else is.
 */
export type SignInState = 'in' | 'checking' | 'out' | 'other';

/** Who is signed in: a user name, null for nobody, undefined if no server could tell. */
export type WhoAmI = () => Promise<string | null | undefined>;

/** The state that follows, for a page of `user`, from an answer about who is signed in. */
export function judge(
  user: string | null,
  found: string | null | undefined,
  before: SignInState
): SignInState {
  if (found === undefined) {
    return before;
  }
  if (found === null) {
    return 'out';
  }
  return user === null || found === user ? 'in' : 'other';
}

/** Milliseconds between two questions about who is signed in. */
export function pauseAfter(attempts: number): number {
  return Math.min(1000 * 2 ** attempts, LONGEST_PAUSE);
}

const LONGEST_PAUSE = 15_000;
/** If a server rejects the login this soon after it was valid, do not ask again at once. */
const SOON = 5_000;

/**
 * Knows when the login of this page has ended and when it is back.
 *
 * Everything that talks to the server reports refusals here and waits here; nothing is reloaded.
 */
export class SignIn {
  constructor(whoAmI: WhoAmI) {
    this._whoAmI = whoAmI;
  }

  /** Called after each change of the state. */
  onChanged: () => void = () => undefined;

  /** Called when something that the person did has to wait for the login. */
  onRefused: () => void = () => undefined;

  get state(): SignInState {
    return this._state;
  }

  /** This page's user; null until the first answer. */
  get user(): string | null {
    return this._user;
  }

  /** The person who is signed in instead; null unless the state is `other`. */
  get otherUser(): string | null {
    return this._otherUser;
  }

  /** Whether the user has signed out in another tab; otherwise the login has ended by itself. */
  get isSignedOut(): boolean {
    return this._isSignedOut;
  }

  /** Find out who this page's user is; resolves when a server has answered. */
  async start(): Promise<void> {
    for (let attempts = 0; this._user === null; attempts += 1) {
      const found = await this._whoAmI().catch(() => undefined);
      if (found) {
        this._user ??= found;
      } else if (found === null) {
        this.ended();
        return;
      } else {
        await new Promise(resolve => setTimeout(resolve, pauseAfter(attempts)));
      }
    }
  }

  /** A server has refused this page's login. Who is signed in is asked until it is right again. */
  ended(): void {
    if (this._state === 'in') {
      this._set('checking');
      this._attempts = steadyTime() - this._foundAt < SOON ? 1 : 0;
      this._askAfter(this._attempts ? pauseAfter(0) : 0);
    }
  }

  /**
   * A server has refused a request, which may or may not be because of the login.
   *
   * @returns whether the login is good, so that the refusal has another reason.
   */
  async check(): Promise<boolean> {
    if (this._state === 'in' || this._state === 'checking') {
      await this._ask();
    }
    return this._state === 'in';
  }

  /** Another tab tells that its user has signed out, which may be another login than this page's. */
  signedOut(): void {
    this._isSignedOut = true;
    void this.check();
  }

  /** Something has happened (a tab signed in, the window has the focus again): ask at once. */
  hurry(): void {
    if (this._state !== 'in') {
      this._attempts = 0;
      this._askAfter(0);
    }
  }

  /** Resolves when this page's person is signed in. */
  whenIn(): Promise<void> {
    if (this._state === 'in') {
      return Promise.resolve();
    }
    return new Promise(resolve => this._waiting.push(resolve));
  }

  private _askAfter(pause: number): void {
    clearTimeout(this._timer);
    this._timer = setTimeout(() => {
      void this._ask();
    }, pause);
  }

  /** Ask who is signed in, once for all who want to know. */
  private _ask(): Promise<void> {
    this._asking ??= this._askOnce().finally(() => {
      this._asking = null;
    });
    return this._asking;
  }

  private async _askOnce(): Promise<void> {
    const found = await this._whoAmI().catch(() => undefined);
    if (this._user === null && found) {
      this._user = found;
    }
    const state = judge(this._user, found, this._state);
    this._otherUser = state === 'other' ? (found ?? this._otherUser) : null;
    if (state === 'in') {
      this._isSignedOut = false;
      clearTimeout(this._timer);
      this._foundAt = steadyTime();
    } else {
      this._askAfter(pauseAfter(this._attempts));
      this._attempts += 1;
    }
    this._set(state);
  }

  private _set(state: SignInState): void {
    if (state === this._state && state !== 'other') {
      return;
    }
    this._state = state;
    if (state === 'in') {
      for (const resolve of this._waiting.splice(0)) {
        resolve();
      }
    }
    this.onChanged();
  }

  private readonly _whoAmI: WhoAmI;
  private _state: SignInState = 'in';
  private _user: string | null = null;
  private _otherUser: string | null = null;
  private _isSignedOut = false;
  private _asking: Promise<void> | null = null;
  private _waiting: (() => void)[] = [];
  private _attempts = 0;
  private _foundAt = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
