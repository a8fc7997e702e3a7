/**
 * Which streams have a living page: a browser copies the storage of a tab that is duplicated, and what
 * it holds is then still being sent by the page that it was copied from.
 */
export interface ILivingPages {
  /** This page sends under a new nonce, as long as it lives or until `release`. */
  hold(nonce: string): void;
  /** Hold the nonce of another page. @returns false if that page lives. */
  claim(nonce: string): Promise<boolean>;
  release(nonce: string): void;
}

/** A page that is reloaded may live a little longer than its successor waits to start. */
const DEATH_MS = 2_000;
/** A living page answers in this time. */
const ANSWER_MS = 300;
const NAME = 'jupyter-fleet:stream';

/** By locks, which the browser frees when a page ends. It has them in secure contexts only. */
export class LockingPages implements ILivingPages {
  constructor(private readonly _locks: LockManager) {}

  hold(nonce: string): void {
    void this._lock(nonce, {});
  }

  claim(nonce: string): Promise<boolean> {
    return this._lock(nonce, { signal: AbortSignal.timeout(DEATH_MS) });
  }

  release(nonce: string): void {
    this._releases.get(nonce)?.();
    this._releases.delete(nonce);
  }

  private _lock(nonce: string, options: LockOptions): Promise<boolean> {
    const released = new Promise<void>(resolve => this._releases.set(nonce, resolve));
    return new Promise(resolve => {
      const granted = (): Promise<void> => {
        resolve(true);
        return released;
      };
      this._locks.request(`${NAME}/${nonce}`, options, granted).catch(() => resolve(false));
    });
  }

  private readonly _releases = new Map<string, () => void>();
}

interface IQuestion {
  readonly asked: string;
  /** Of two pages that ask at once, the one with the smaller ID gets the nonce. */
  readonly by: string;
}

/** By asking the other pages of the browser. */
export class AskingPages implements ILivingPages {
  constructor(
    private readonly _channel: BroadcastChannel,
    private readonly _id: string
  ) {
    _channel.onmessage = ({ data }: MessageEvent<IQuestion | { readonly held: string }>) => {
      if ('held' in data) {
        this._answered.add(data.held);
      } else if (this._held.has(data.asked) || this._comesBefore(data)) {
        this._channel.postMessage({ held: data.asked });
      }
    };
  }

  hold(nonce: string): void {
    this._held.add(nonce);
  }

  async claim(nonce: string): Promise<boolean> {
    this._asking.add(nonce);
    let isFree = false;
    for (let tries = Math.ceil(DEATH_MS / ANSWER_MS); tries > 0 && !isFree; tries -= 1) {
      this._answered.delete(nonce);
      this._channel.postMessage({ asked: nonce, by: this._id });
      await new Promise(resolve => setTimeout(resolve, ANSWER_MS));
      isFree = !this._answered.delete(nonce);
    }
    this._asking.delete(nonce);
    if (isFree) {
      this._held.add(nonce);
    }
    return isFree;
  }

  release(nonce: string): void {
    this._held.delete(nonce);
  }

  private _comesBefore({ asked, by }: IQuestion): boolean {
    return this._asking.has(asked) && this._id < by;
  }

  private readonly _held = new Set<string>();
  private readonly _asking = new Set<string>();
  private readonly _answered = new Set<string>();
}
