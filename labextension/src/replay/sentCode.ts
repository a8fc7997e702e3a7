const KEY = 'jupyter-fleet:sent-code';
/** Of more cells a notebook has rarely. */
const MOST = 2_000;

/**
 * Which code this tab has sent to kernels in which request, over reloads: what such a request says is
 * trusted as if the page had never been away.
 *
 * It is read from nothing but the tab's own storage, where no kernel, file or other client can write.
 */
export class SentCode {
  /** @param storage - The tab's; null: what was before a reload is not known. */
  constructor(private readonly _storage: Storage | null) {
    this._hashes = new Map(read(_storage));
  }

  /** This page sends a request of its own. `hash` is the `sourceHash` of its code. */
  sent(request: string, hash: string): void {
    this._hashes.set(request, hash);
    if (this._hashes.size > MOST) {
      const [oldest] = this._hashes.keys();
      this._hashes.delete(oldest);
    }
    try {
      this._storage?.setItem(KEY, JSON.stringify([...this._hashes]));
    } catch {
      // The storage is full: after a reload the request is like another page's.
    }
  }

  /** Whether this tab has sent the request, with this code. */
  has(request: string, hash: string): boolean {
    return this._hashes.get(request) === hash;
  }

  private readonly _hashes: Map<string, string>;
}

function read(storage: Storage | null): [string, string][] {
  try {
    const kept: unknown = JSON.parse(storage?.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(isEntry) : [];
  } catch {
    return [];
  }
}

function isEntry(value: unknown): value is [string, string] {
  return Array.isArray(value) && typeof value[0] === 'string' && typeof value[1] === 'string';
}
