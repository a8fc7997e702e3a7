import { ISignal, Signal } from '@lumino/signaling';

import { type IPeople, readPeople, UNKNOWN } from '../outputs/people.js';

/** Of more kernels a tab forgets whom it trusted first. */
const MOST = 100;

interface ITrust {
  /** The id of the kernel's journal; null if it has none. */
  readonly journal: string | null;
  readonly people: IPeople;
}

/** Whom the user of this page trusts in which process of which kernel; also over reloads of the tab. */
export class TrustedPeople {
  /**
   * @param _storage - The tab's; null: nothing is known after a reload.
   * @param me - The user of this page: another one who signs in here has trusted nobody.
   */
  constructor(
    private readonly _storage: Storage | null,
    readonly me: string | null
  ) {
    this._all = read(me === null ? null : _storage, this._key);
  }

  /** Emitted with the kernel in which the user trusts others than before. */
  get changed(): ISignal<this, string> {
    return this._changed;
  }

  /** Whom the user trusts in a kernel, while it has this journal; null for nobody. */
  of(kernel: string, journal: string | null): IPeople | null {
    const trust = this._all.get(kernel);
    return trust && trust.journal === journal ? trust.people : null;
  }

  trust(kernel: string, journal: string | null, people: IPeople): void {
    this._all.delete(kernel);
    this._all.set(kernel, { journal, people });
    if (this._all.size > MOST) {
      const [first] = this._all.keys();
      this._all.delete(first);
    }
    this._write();
    this._changed.emit(kernel);
  }

  /** Forget the trust in whoever has used a kernel, if nobody said who that was. */
  forgetUnknown(kernel: string): void {
    if (this._all.get(kernel)?.people.process === UNKNOWN.process) {
      this._all.delete(kernel);
      this._changed.emit(kernel);
    }
  }

  private _write(): void {
    // Of a process that has no number nobody could tell after a reload whether it still runs.
    const kept = [...this._all].filter(([, { people }]) => people.process > 0);
    try {
      if (this.me !== null) {
        this._storage?.setItem(this._key, JSON.stringify(kept));
      }
    } catch {
      // The storage is full: it is forgotten with the next reload.
    }
  }

  private get _key(): string {
    return `jupyter-fleet:trusted-people/${this.me}`;
  }

  private readonly _all: Map<string, ITrust>;
  private readonly _changed = new Signal<this, string>(this);
}

function read(storage: Storage | null, key: string): Map<string, ITrust> {
  try {
    const kept = JSON.parse(storage?.getItem(key) ?? '[]') as [string, ITrust][];
    return new Map(
      kept.map(([kernel, { journal, people }]) => [kernel, { journal, people: readPeople(people) }])
    );
  } catch {
    return new Map();
  }
}
