const PREFIX = 'jupyter-fleet:sent-code';
/** Of more cells a notebook has rarely. */
const MOST = 2_000;

/**
 * Which code a person has sent to kernels from this tab in which request, over reloads: what such a
 * request says is trusted as if the page had never been away.
 *
 * It is read from nothing but the tab's own storage, where no kernel, file or other client can write.
 * What another person has left in the tab is removed: nobody trusts what others ran.
 */
export class SentCode {
  /**
   * @param storage - The tab's; null: what was before a reload is not known.
   * @param user - Whose page this is; null if nobody knows: then nothing is read or kept.
   */
  constructor(storage: Storage | null, user: string | null) {
    this._storage = user === null ? null : storage;
    this._prefix = `${PREFIX}/${encodeURIComponent(user ?? '')}/`;
    if (storage) {
      removeOthers(storage, this._prefix);
    }
    for (const [number, request, hash] of readAll(this._storage, this._prefix)) {
      this._hashes.set(request, hash);
      this._numbers.set(request, number);
      this._last = number;
    }
  }

  /** This page sends a request of its own. `hash` is the `sourceHash` of its code. */
  sent(request: string, hash: string): void {
    this._last += 1;
    this._hashes.set(request, hash);
    this._numbers.set(request, this._last);
    if (this._hashes.size > MOST) {
      const [oldest] = this._hashes.keys();
      this._storage?.removeItem(`${this._prefix}${this._numbers.get(oldest)}`);
      this._hashes.delete(oldest);
      this._numbers.delete(oldest);
    }
    try {
      this._storage?.setItem(`${this._prefix}${this._last}`, JSON.stringify([request, hash]));
    } catch {
      // The storage is full: after a reload the request is like another page's.
    }
  }

  /** Whether this person has sent the request from this tab, with this code. */
  has(request: string, hash: string): boolean {
    return this._hashes.get(request) === hash;
  }

  /** Whether this person has sent the request from this tab, whatever its cell has become. */
  knows(request: string): boolean {
    return this._hashes.has(request);
  }

  private readonly _storage: Storage | null;
  private readonly _prefix: string;
  private readonly _hashes = new Map<string, string>();
  /** Under which number each request is kept. */
  private readonly _numbers = new Map<string, number>();
  private _last = 0;
}

function keysUnder(storage: Storage, prefix: string): string[] {
  const keys = Array.from({ length: storage.length }, (_, at) => storage.key(at)!);
  return keys.filter(key => key.startsWith(prefix));
}

function removeOthers(storage: Storage, prefix: string): void {
  for (const key of keysUnder(storage, PREFIX)) {
    if (!key.startsWith(prefix)) {
      storage.removeItem(key);
    }
  }
}

/** In the order in which they were sent. */
function readAll(storage: Storage | null, prefix: string): [number, string, string][] {
  const found: [number, string, string][] = [];
  for (const key of storage ? keysUnder(storage, prefix) : []) {
    const number = Number(key.slice(prefix.length));
    const entry = entryOf(storage!.getItem(key));
    if (Number.isSafeInteger(number) && entry) {
      found.push([number, ...entry]);
    } else {
      storage!.removeItem(key);
    }
  }
  return found.sort(([one], [other]) => one - other);
}

function entryOf(text: string | null): [string, string] | null {
  try {
    const kept: unknown = JSON.parse(text ?? '');
    return Array.isArray(kept) && kept.length === 2 && kept.every(one => typeof one === 'string')
      ? (kept as [string, string])
      : null;
  } catch {
    return null;
  }
}
