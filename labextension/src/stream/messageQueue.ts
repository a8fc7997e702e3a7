import type { KernelMessage } from '@jupyterlab/services';

import { OUTPUT_TYPES, OutputLimit, parentOf } from '../outputs/outputLimit.js';
import { isBehindHole, joinedNumbers } from './numbered.js';
import { turn } from './turn.js';

type Message = KernelMessage.IMessage;

/**
 * How much may be handed over at once: 50 messages of which JupyterLab makes nothing, 16 short texts,
 * 10 displays, or a megabyte of text that is appended to, because JupyterLab goes through all text of
 * an output with each piece that is added.
 */
const SLICE = 50;
const CHARACTERS_PER_UNIT = 20_000;
const WINDOW_MS = 100;
/** The longest wait after a slice; the page had as long to itself as the slice had taken. */
const LONGEST_REST_MS = 500;
/**
 * Of what JupyterLab makes nothing of, widgets say thousands a second: there is more of it in a slice, up
 * to so many times as much, the longer a slice takes less than the first time, and less again above the
 * second one.
 */
const MOST_TIMES = 32;
const SHORT_SLICE_MS = 40;
const LONG_SLICE_MS = 80;
/** Nobody waits for a page that is not visible, whose timers come once a second: so much more at once. */
const HIDDEN_TIMES = 8;
/** How often the end of an output that is being cut is shown. */
const UPDATE_MS = 500;
/** While a page catches up: how much between two looks at the clock, until when, and the pause after. */
const PIECE = 15;
const BUSY_MS = 12;
const PAUSE_MS = 4;
/** How far back a message may be joined to one that waits. */
const LOOK_BACK = 64;
/** How far back a change of a display may take the place of another one: a cell may show many bars. */
const LOOK_BACK_FOR_DISPLAY = 512;

/**
 * Hands a kernel's messages to JupyterLab, in order, and leaves the page time for the person.
 *
 * A few messages go through at once. What comes faster waits, and while it waits it is joined: text of
 * one stream to one message, what is cleared or replaced is left out. So a page is never more than
 * half busy with output, however fast a kernel prints.
 *
 * A page that catches up with what a kernel has said wants to have it soon: it is busy most of the time,
 * in slices so short that a person who types does not notice.
 */
export class MessageQueue {
  /** `deliver` is called with one message at a time, never from within itself. */
  constructor(limit: OutputLimit, deliver: (message: Message) => void) {
    this._limit = limit;
    this._deliver = deliver;
  }

  push(message: Message): void {
    for (const accepted of this._limit.accept(message)) {
      join(this._waiting, accepted);
    }
    this._goOn();
    if (this._limit.stale) {
      this._updateTimer ??= setTimeout(() => this._update(), UPDATE_MS);
    }
  }

  /** What is pushed from now on is what the page lacks, or is so no more. */
  catchUp(begins: boolean): void {
    clearTimeout(this._restTimer);
    this._resting = false;
    this._times = 1;
    this._catchesUp = begins;
    this._goOn();
  }

  /** All messages of a request come again: see `OutputLimit`. */
  beginAnew(request: string): void {
    this._limit.beginAnew(request);
  }

  /** Deliver all waiting messages now. */
  flush(): void {
    for (const message of this._limit.update()) {
      join(this._waiting, message);
    }
    this._stop();
    for (const message of this._waiting.splice(0)) {
      this._handOver(message);
    }
    this._empty();
  }

  /** Drop all waiting messages: nobody listens any more. */
  clear(): void {
    this._stop();
    this._waiting.splice(0);
    this._empty();
  }

  /** The messages that wait. */
  get waiting(): readonly Message[] {
    return this._waiting;
  }

  /** Resolves when all messages that wait now have been delivered. */
  async emptied(): Promise<void> {
    while (this._waiting.length) {
      await new Promise<void>(resolve => this._onEmpty.push(resolve));
    }
  }

  private _empty(): void {
    for (const resolve of this._onEmpty.splice(0)) {
      resolve();
    }
  }

  private _stop(): void {
    clearTimeout(this._restTimer);
    clearTimeout(this._updateTimer);
    this._updateTimer = undefined;
    this._resting = false;
  }

  private _update(): void {
    this._updateTimer = undefined;
    for (const message of this._limit.update()) {
      join(this._waiting, message);
    }
    this._goOn();
  }

  private _goOn(): void {
    if (this._catchesUp) {
      void this._catchUp();
    } else if (!this._resting && !this._delivering) {
      this._slice();
    }
  }

  private async _catchUp(): Promise<void> {
    if (this._catching) {
      return;
    }
    this._catching = true;
    while (this._catchesUp && this._waiting.length) {
      const started = performance.now();
      do {
        this._spent = 0;
        this._give(PIECE);
        // JupyterLab handles it.
        await turn();
      } while (this._catchesUp && this._waiting.length && performance.now() - started < BUSY_MS);
      await pause();
    }
    this._catching = false;
  }

  /** Deliver as much as this time window allows; the rest waits for the next one. */
  private _slice(): void {
    const now = performance.now();
    if (now - this._windowStart > WINDOW_MS) {
      this._windowStart = now;
      this._spent = 0;
      this._times = 1;
    }
    const most = isHidden() ? HIDDEN_TIMES * SLICE : SLICE;
    this._give(most);
    if (this._spent >= most) {
      this._rest(now, most);
    }
  }

  /** Deliver what waits until so much has been spent. */
  private _give(most: number): void {
    this._delivering = true;
    let count = 0;
    while (count < this._waiting.length && this._spent < most) {
      const message = this._waiting[count++];
      this._spent += this._cost(message);
      this._handOver(message);
    }
    this._waiting.splice(0, count);
    this._delivering = false;
    if (!this._waiting.length) {
      this._empty();
    }
  }

  /** A message that JupyterLab does not understand must not hold up those behind it. */
  private _handOver(message: Message): void {
    try {
      this._deliver(message);
    } catch (error) {
      console.error(error);
    }
  }

  private _rest(started: number, most: number): void {
    this._resting = true;
    const rest = (this._rests += 1);
    const handled = () => {
      if (rest === this._rests && this._resting) {
        this._restAfter(performance.now() - started, most);
      }
    };
    // JupyterLab handles what it was given before this, and draws it.
    if (isHidden()) {
      // A page that is not visible draws nothing, and a timer that another one has begun takes a minute.
      void turn().then(handled);
    } else {
      this._restTimer = setTimeout(handled, 0);
    }
  }

  /** @param taken - How many ms JupyterLab has needed for `most`. */
  private _restAfter(taken: number, most: number): void {
    const slice = (taken * SLICE) / most;
    if (slice < SHORT_SLICE_MS) {
      this._times = Math.min(2 * this._times, MOST_TIMES);
    } else if (slice > LONG_SLICE_MS) {
      this._times = Math.max(this._times / 2, 1);
    }
    this._restTimer = setTimeout(
      () => {
        this._resting = false;
        this._windowStart = performance.now();
        this._spent = 0;
        this._slice();
      },
      Math.min(Math.max(taken, WINDOW_MS), LONGEST_REST_MS)
    );
  }

  private _cost(message: Message): number {
    if (message.header.msg_type !== 'stream') {
      return message.header.msg_type === 'display_data' ? 5 : 1 / this._times;
    }
    const { text } = (message as KernelMessage.IStreamMsg).content;
    return 3 + (text.length + this._limit.held(message)) / CHARACTERS_PER_UNIT;
  }

  private readonly _limit: OutputLimit;
  private readonly _deliver: (message: Message) => void;
  private readonly _waiting: Message[] = [];
  private readonly _onEmpty: (() => void)[] = [];
  private _resting = false;
  private _catchesUp = false;
  private _catching = false;
  private _delivering = false;
  private _spent = 0;
  /** How many times as much there is in a slice of what takes the page little time. */
  private _times = 1;
  private _rests = 0;
  private _windowStart = 0;
  private _restTimer: ReturnType<typeof setTimeout> | undefined;
  private _updateTimer: ReturnType<typeof setTimeout> | undefined;
}

/** Nobody waits for a page that is not visible; its timers take a second. */
function pause(): Promise<void> {
  return isHidden() ? turn() : new Promise(resolve => setTimeout(resolve, PAUSE_MS));
}

function isHidden(): boolean {
  return globalThis.document?.hidden ?? false;
}

/**
 * Append `next` to the waiting messages, merged with them if a user would see no difference.
 */
export function join(waiting: Message[], next: Message): void {
  const type = next.channel === 'iopub' ? next.header.msg_type : '';
  if (type === 'stream') {
    leaveOutCleared(waiting, next);
    const at = isBehindHole(next) ? -1 : lastOf(waiting, next);
    const found = waiting[at] as KernelMessage.IStreamMsg | undefined;
    const stream = next as KernelMessage.IStreamMsg;
    if (found?.header.msg_type === 'stream' && found.content.name === stream.content.name) {
      const text = found.content.text + stream.content.text;
      waiting[at] = joinedNumbers({ ...found, content: { ...found.content, text } }, next);
      return;
    }
  } else if (type === 'display_data' || type === 'execute_result') {
    leaveOutCleared(waiting, next);
  } else if (type === 'update_display_data') {
    leaveOutReplaced(waiting, next);
  }
  waiting.push(next);
}

/**
 * Where the last output of `next`'s execution waits; -1 if there is none, or if what waits behind it
 * could tell whether `next` comes before or after.
 */
function lastOf(waiting: Message[], next: Message): number {
  const parent = parentOf(next);
  const stop = Math.max(0, waiting.length - LOOK_BACK);
  for (let at = waiting.length - 1; at >= stop; at -= 1) {
    const message = waiting[at];
    if (parentOf(message) === parent && OUTPUT_TYPES.has(message.header.msg_type)) {
      return at;
    }
    const own = parentOf(message) === parent;
    if (ordersOutputs(message) || (own && message.header.msg_type !== 'comm_msg')) {
      return -1;
    }
  }
  return -1;
}

/** Widgets that catch outputs begin and end with a message of their own. */
function ordersOutputs(message: Message): boolean {
  if (message.header.msg_type !== 'comm_msg') {
    return message.header.msg_type.startsWith('comm_');
  }
  // Code of users may have published anything.
  const state = (message.content as { data?: { state?: unknown } } | null)?.data?.state;
  return typeof state === 'object' && !!state && ('msg_id' in state || 'outputs' in state);
}

/** If the output was to be cleared when the next one comes, what waits before that is never seen. */
function leaveOutCleared(waiting: Message[], next: Message): void {
  const at = lastOf(waiting, next);
  if (at < 0 || waiting[at].header.msg_type !== 'clear_output') {
    return;
  }
  const parent = parentOf(next);
  const stop = Math.max(0, waiting.length - LOOK_BACK);
  for (let before = at - 1; before >= stop; before -= 1) {
    const message = waiting[before];
    if (ordersOutputs(message)) {
      return;
    }
    if (parentOf(message) !== parent) {
      continue;
    }
    if (!OUTPUT_TYPES.has(message.header.msg_type) || displayId(message)) {
      return;
    }
    waiting.splice(before, 1);
  }
}

/** Of several updates of one display only the last one is visible. */
function leaveOutReplaced(waiting: Message[], next: Message): void {
  const id = displayId(next);
  const stop = Math.max(0, waiting.length - LOOK_BACK_FOR_DISPLAY);
  for (let at = waiting.length - 1; id && at >= stop; at -= 1) {
    const message = waiting[at];
    if (ordersOutputs(message) || message.header.msg_type === 'clear_output') {
      return;
    }
    if (displayId(message) === id) {
      if (message.header.msg_type === 'update_display_data') {
        waiting.splice(at, 1);
      }
      return;
    }
  }
}

function displayId(message: Message): string | undefined {
  const content = message.content as { transient?: { display_id?: string } } | null;
  return content?.transient?.display_id;
}
