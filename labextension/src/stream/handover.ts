import type { KernelMessage } from '@jupyterlab/services';

import { firstNumberOf } from './numbered.js';
import { isFleet } from './madeMessages.js';
import { turn } from './turn.js';

type Message = KernelMessage.IMessage;

/**
 * Gives messages to JupyterLab, in order, and gives it the time to handle them where it needs that.
 *
 * JupyterLab handles a message in a promise that follows, and drops what it has not handled when a
 * message of another session of the kernel comes: between the last words of a process and the first
 * of the next one it gets a task. So it does before what is for the page itself.
 */
export class Handover {
  /** `give` is called with one message at a time. What it throws is reported. */
  constructor(give: (message: Message) => void) {
    this._give = give;
  }

  /** Nobody takes messages: they wait. So it is at first. */
  pause(): void {
    this._paused = true;
  }

  resume(): void {
    this._paused = false;
    void this._run();
  }

  push(message: Message): void {
    this._waiting.push(message);
    void this._run();
  }

  /** Nobody will take messages any more. */
  stop(): void {
    this.pause();
    this._waiting.splice(0);
    this._empty();
  }

  /** The messages that wait. */
  get waiting(): readonly Message[] {
    return this._waiting;
  }

  /** Resolves when JupyterLab has had the time to handle what was given to it until now. */
  async handled(): Promise<void> {
    while (this._waiting.length) {
      await new Promise<void>(resolve => this._onEmpty.push(resolve));
    }
    await turn();
  }

  private async _run(): Promise<void> {
    if (this._running) {
      return;
    }
    this._running = true;
    while (this._waiting.length && !this._paused) {
      if (this._needsTurn(this._waiting[0])) {
        await turn();
        if (this._paused) {
          break;
        }
      }
      this._hand(this._waiting.shift()!);
    }
    this._running = false;
    if (!this._waiting.length) {
      this._empty();
    }
  }

  private _empty(): void {
    for (const resolve of this._onEmpty.splice(0)) {
      resolve();
    }
  }

  private _needsTurn(message: Message): boolean {
    return isFleet(message) || (this._session !== '' && message.header.session !== this._session);
  }

  private _hand(message: Message): void {
    if (!isFleet(message)) {
      this._session = message.header.session;
    }
    try {
      this._give(message);
    } catch (error) {
      // A message that JupyterLab does not understand must not hold up those behind it.
      console.error(error);
    }
  }

  private readonly _give: (message: Message) => void;
  private readonly _waiting: Message[] = [];
  private readonly _onEmpty: (() => void)[] = [];
  private _paused = true;
  private _running = false;
  private _session = '';
}

/** The smallest number that waits for its acknowledgment in `messages`. */
export function earliestOf(messages: Iterable<Message>): number {
  let earliest = Infinity;
  for (const message of messages) {
    earliest = Math.min(earliest, firstNumberOf(message) ?? Infinity);
  }
  return earliest;
}
