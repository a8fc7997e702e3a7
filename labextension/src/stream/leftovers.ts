/** Bytes of one message, and of all, that are kept over a reload of the page. */
const LONGEST_KEPT = 256 * 1024;
const MOST_KEPT = 2 * 1024 * 1024;
/** What is acknowledged is removed some time later, many at once. */
const REMOVE_AFTER_MS = 1_000;

const PREFIX = 'jupyter-fleet:pending';

/** One end of a stream, as the agent knows it. */
export interface IEnd {
  readonly kernelId: string;
  readonly sessionId: string;
  /** A random ID; the numbers of the messages count within it. */
  readonly nonce: string;
}

/** What an earlier page of this tab sent, and was not acknowledged. */
export interface ILeftover extends IEnd {
  /** The journal of the agent that may have some of it; null if none has been sent. */
  readonly journal: string | null;
  /** In the order of their numbers. Null: the message was too long to be kept. */
  readonly messages: readonly { readonly number: number; readonly message: ArrayBuffer | null }[];
}

/**
 * Keeps what is not acknowledged over a reload of the page, in the storage of its tab.
 */
export class Leftovers {
  /**
   * What other users of this tab have left is removed as soon as this one is known: nobody runs it with
   * their own rights. Until then nothing of the tab is touched, and what is to be kept is kept here.
   *
   * @param storage - The tab's `sessionStorage`; null if the browser has none for this page.
   * @param user - Who uses the page; null until that is known.
   */
  constructor(
    private readonly _storage: Storage | null,
    private readonly _user: () => string | null
  ) {}

  /** What earlier pages sent to a kernel. Each is returned once, and kept until it is dropped. */
  take(kernelId: string): ILeftover[] {
    this._learnUser();
    const taken = this._left.filter(left => left.kernelId === kernelId);
    this._left = this._left.filter(left => left.kernelId !== kernelId);
    return taken;
  }

  /** Which journal the agent has that is sent what follows. */
  setJournal(end: IEnd, journal: string): void {
    this._write(`${keyOf(end)}/journal`, journal);
  }

  /** Keep a message; null for one that need not be sent again. */
  keep(end: IEnd, number: number, message: ArrayBuffer | null): void {
    const size = message?.byteLength ?? 0;
    const fits = size <= LONGEST_KEPT && this._bytes + size <= MOST_KEPT;
    const kept = message && fits ? textOf(message) : '';
    if (this._write(`${keyOf(end)}/${number}`, kept)) {
      this._sizes(end).set(number, kept.length);
      this._bytes += kept.length;
    }
  }

  /** The agent has everything up to a number. */
  acknowledge(end: IEnd, number: number): void {
    this._acknowledged.set(keyOf(end), { end, number });
    this._timer ??= setTimeout(() => {
      this._timer = undefined;
      const acknowledged = [...this._acknowledged.values()];
      this._acknowledged.clear();
      for (const { end, number } of acknowledged) {
        this._remove(end, number);
      }
    }, REMOVE_AFTER_MS);
  }

  /** Nothing of it is to be sent again. */
  drop(end: IEnd): void {
    this._acknowledged.delete(keyOf(end));
    this._remove(end, Infinity);
    this._removeItem(`${keyOf(end)}/journal`);
    this._kept.delete(keyOf(end));
  }

  private _remove(end: IEnd, upTo: number): void {
    const sizes = this._sizes(end);
    for (const [number, size] of sizes) {
      if (number <= upTo) {
        this._removeItem(`${keyOf(end)}/${number}`);
        sizes.delete(number);
        this._bytes -= size;
      }
    }
  }

  private _sizes(end: IEnd): Map<number, number> {
    const key = keyOf(end);
    const sizes = this._kept.get(key) ?? new Map<number, number>();
    this._kept.set(key, sizes);
    return sizes;
  }

  private _learnUser(): void {
    const early = this._early;
    const user = early && this._user();
    if (!early || user === null) {
      return;
    }
    this._early = null;
    this._prefix = `${PREFIX}/${encodeURIComponent(user)}`;
    if (this._storage) {
      removeOthers(this._storage, this._prefix);
      this._left = readAll(this._storage, this._prefix);
    }
    for (const left of this._left) {
      const sizes = this._sizes(left);
      for (const { number, message } of left.messages) {
        sizes.set(number, message?.byteLength ?? 0);
        this._bytes += message?.byteLength ?? 0;
      }
    }
    early.forEach((text, key) => this._write(key, text));
  }

  /** @returns whether there was room. */
  private _write(key: string, text: string): boolean {
    this._learnUser();
    if (this._early) {
      this._early.set(key, text);
      return true;
    }
    try {
      this._storage?.setItem(`${this._prefix}/${key}`, text);
      return true;
    } catch {
      return false;
    }
  }

  private _removeItem(key: string): void {
    if (!this._early?.delete(key)) {
      this._storage?.removeItem(`${this._prefix}/${key}`);
    }
  }

  /** What is kept while nobody knows whose it is. */
  private _early: Map<string, string> | null = new Map();
  private _prefix = '';
  private readonly _kept = new Map<string, Map<number, number>>();
  private readonly _acknowledged = new Map<string, { end: IEnd; number: number }>();
  private _left: ILeftover[] = [];
  private _bytes = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}

function keyOf({ kernelId, sessionId, nonce }: IEnd): string {
  return [kernelId, sessionId, nonce].map(encodeURIComponent).join('/');
}

function removeOthers(storage: Storage, prefix: string): void {
  const keys = Array.from({ length: storage.length }, (_, at) => storage.key(at)!);
  for (const key of keys) {
    if (key.startsWith(`${PREFIX}/`) && !key.startsWith(`${prefix}/`)) {
      storage.removeItem(key);
    }
  }
}

function readAll(storage: Storage, prefix: string): ILeftover[] {
  const ends = new Map<string, IEnd>();
  const messages = new Map<string, { number: number; message: ArrayBuffer | null }[]>();
  for (let at = 0; at < storage.length; at += 1) {
    const key = storage.key(at)!;
    const parts = key.slice(prefix.length + 1).split('/');
    const number = Number(parts[3]);
    if (!key.startsWith(`${prefix}/`) || parts.length !== 4 || !Number.isSafeInteger(number)) {
      continue;
    }
    const [kernelId, sessionId, nonce] = parts.map(decodeURIComponent);
    const end = { kernelId, sessionId, nonce };
    const text = storage.getItem(key)!;
    const kept = messages.get(keyOf(end)) ?? [];
    kept.push({ number, message: text ? bytesOf(text) : null });
    messages.set(keyOf(end), kept);
    ends.set(keyOf(end), end);
  }
  return [...ends].map(([key, end]) => ({
    ...end,
    journal: storage.getItem(`${prefix}/${key}/journal`),
    messages: messages.get(key)!.sort((one, other) => one.number - other.number)
  }));
}

/** Bytes as a text of as many characters: a storage takes nothing else. */
function textOf(bytes: ArrayBuffer): string {
  const all = new Uint8Array(bytes);
  let text = '';
  for (let at = 0; at < all.length; at += 8192) {
    text += String.fromCharCode(...all.subarray(at, at + 8192));
  }
  return text;
}

function bytesOf(text: string): ArrayBuffer {
  return Uint8Array.from(text, character => character.charCodeAt(0)).buffer;
}
