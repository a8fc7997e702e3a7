import { headingOf } from './clientFrames.js';
import type { ILivingPages } from './livingPages.js';

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
   * @param pages - Knows what living pages send themselves.
   */
  constructor(
    private readonly _storage: Storage | null,
    private readonly _user: () => string | null,
    private readonly _pages: ILivingPages
  ) {}

  /** This page sends as a new end: what it keeps is not for copies of its tab. */
  hold({ nonce }: IEnd): void {
    this._pages.hold(nonce);
  }

  /**
   * What earlier pages sent to a kernel. Each is returned once, and kept until it is dropped. What a
   * living page sends itself is removed: this tab is a duplicate of that page's.
   */
  async take(kernelId: string): Promise<ILeftover[]> {
    const found = this._find(kernelId);
    const claimed = await Promise.all(found.map(({ nonce }) => this._pages.claim(nonce)));
    found.filter((_, at) => !claimed[at]).forEach(left => this.drop(left));
    return found.filter((_, at) => claimed[at]);
  }

  /** Nothing that earlier pages sent to a kernel shall be sent again. */
  dropAll(kernelId: string): void {
    this._find(kernelId).forEach(left => this.drop(left));
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
    this._pages.release(end.nonce);
  }

  private _find(kernelId: string): ILeftover[] {
    this._learnUser();
    const found = this._left.filter(left => left.kernelId === kernelId);
    this._left = this._left.filter(left => left.kernelId !== kernelId);
    return found;
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

function keysUnder(storage: Storage, prefix: string): string[] {
  const keys = Array.from({ length: storage.length }, (_, at) => storage.key(at)!);
  return keys.filter(key => key.startsWith(`${prefix}/`));
}

function removeOthers(storage: Storage, prefix: string): void {
  for (const key of keysUnder(storage, PREFIX)) {
    if (!key.startsWith(`${prefix}/`)) {
      storage.removeItem(key);
    }
  }
}

/** What no page of ours has written is removed. */
function readAll(storage: Storage, prefix: string): ILeftover[] {
  const ends = new Map<string, IEnd>();
  const messages = new Map<string, { number: number; message: ArrayBuffer | null }[]>();
  for (const key of keysUnder(storage, prefix)) {
    try {
      const { end, number } = partsOf(key.slice(prefix.length + 1));
      if (number === null) {
        continue;
      }
      const kept = messages.get(keyOf(end)) ?? [];
      kept.push({ number, message: messageOf(storage.getItem(key)!) });
      messages.set(keyOf(end), kept);
      ends.set(keyOf(end), end);
    } catch {
      storage.removeItem(key);
    }
  }
  return [...ends].map(([key, end]) => ({
    ...end,
    journal: storage.getItem(`${prefix}/${key}/journal`),
    messages: messages.get(key)!.sort((one, other) => one.number - other.number)
  }));
}

/** Throws if a page of ours names nothing so. The number is null for a journal. */
function partsOf(name: string): { end: IEnd; number: number | null } {
  const [kernelId, sessionId, nonce, last, ...more] = name.split('/').map(decodeURIComponent);
  const end = { kernelId, sessionId, nonce };
  const number = last === 'journal' ? null : Number(last);
  if (more.length || `${keyOf(end)}/${last}` !== name || !(number === null || isNumber(number))) {
    throw new Error(`no leftover is named ${name}`);
  }
  return { end, number };
}

function isNumber(number: number): boolean {
  return Number.isSafeInteger(number) && number > 0;
}

/** Null for a message that was too long. Throws if the text is none. */
function messageOf(text: string): ArrayBuffer | null {
  if (!text) {
    return null;
  }
  const message = bytesOf(text);
  const { header } = headingOf(message);
  if (typeof header?.msg_id !== 'string' || typeof header.msg_type !== 'string') {
    throw new Error('the message has no ID or no type');
  }
  return message;
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
