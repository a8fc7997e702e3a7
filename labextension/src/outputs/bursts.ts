/** Nothing more comes for so long: a burst is over. */
const LULL_MS = 200;
/** The first of what is kept waits no longer, although more comes. */
const LONGEST_MS = 500;

/**
 * Passes on at once what comes after a lull, and together what comes in quick succession.
 */
export class Bursts<T> {
  constructor(pass: (items: readonly T[]) => void) {
    this._pass = pass;
  }

  add(items: readonly T[]): void {
    if (items.length === 0) {
      return;
    }
    if (this._lull === null) {
      this._pass(items);
    } else {
      clearTimeout(this._lull);
      this._kept.push(...items);
      this._longest ??= setTimeout(() => this._passKept(), LONGEST_MS);
    }
    this._lull = setTimeout(() => {
      this._lull = null;
      this._passKept();
    }, LULL_MS);
  }

  private _passKept(): void {
    if (this._longest !== null) {
      clearTimeout(this._longest);
      this._longest = null;
      this._pass(this._kept.splice(0));
    }
  }

  private readonly _pass: (items: readonly T[]) => void;
  private readonly _kept: T[] = [];
  private _lull: ReturnType<typeof setTimeout> | null = null;
  private _longest: ReturnType<typeof setTimeout> | null = null;
}
