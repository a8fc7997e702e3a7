const KEY = 'jupyter-fleet:sessions';
/** One for each load of the page and kernel: a tab is rarely reloaded as often. */
const MOST = 200;

/**
 * The sessions in which this tab has run cells, those of earlier loads of its page too: what these
 * cells say is for this tab to save.
 */
export class TabSessions {
  /** @param storage - The tab's; null: what was before a reload is not known. */
  constructor(private readonly _storage: Storage | null) {
    this._sessions = new Set(read(_storage));
  }

  add(session: string): void {
    if (this._sessions.has(session)) {
      return;
    }
    this._sessions.add(session);
    try {
      this._storage?.setItem(KEY, JSON.stringify([...this._sessions].slice(-MOST)));
    } catch {
      // The storage is full: after a reload this session is another page's.
    }
  }

  has(session: string): boolean {
    return this._sessions.has(session);
  }

  private readonly _sessions: Set<string>;
}

function read(storage: Storage | null): string[] {
  try {
    const kept: unknown = JSON.parse(storage?.getItem(KEY) ?? '[]');
    return Array.isArray(kept) ? kept.filter(one => typeof one === 'string') : [];
  } catch {
    return [];
  }
}
