const MOST = 200;

/** Strings that this tab remembers, also over reloads of its page. */
export class TabSet {
  /**
   * @param storage - The tab's; null: what was before a reload is not known.
   * @param key - Where they are in it.
   * @param most - How many are kept over a reload, the newest.
   */
  constructor(
    private readonly _storage: Storage | null,
    private readonly _key: string,
    private readonly _most = MOST
  ) {
    this._all = new Set(read(_storage, _key));
  }

  add(one: string): void {
    if (this._all.has(one)) {
      return;
    }
    this._all.add(one);
    try {
      this._storage?.setItem(this._key, JSON.stringify([...this._all].slice(-this._most)));
    } catch {
      // The storage is full: it is forgotten with the next reload.
    }
  }

  has(one: string): boolean {
    return this._all.has(one);
  }

  private readonly _all: Set<string>;
}

function read(storage: Storage | null, key: string): string[] {
  try {
    const kept: unknown = JSON.parse(storage?.getItem(key) ?? '[]');
    return Array.isArray(kept) ? kept.filter(one => typeof one === 'string') : [];
  } catch {
    return [];
  }
}
