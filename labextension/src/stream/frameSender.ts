import { packFrame } from './clientFrames.js';
import type { Connector } from './connector.js';
import type { Ends } from './ends.js';

const ACKNOWLEDGE_MS = 50;

/** Sends what the ends of a stream have for its kernel, and what the page has handed over. */
export class FrameSender {
  /** @param acknowledged - The last number that has been handed over. */
  constructor(
    private readonly _ends: Ends,
    private readonly _connector: Connector,
    private readonly _acknowledged: () => number
  ) {}

  /** Whether the agent has said what it has of the end that is connected. */
  get isServed(): boolean {
    return this._isServed;
  }

  /** The agent has said it: send the rest. */
  serve(): void {
    this._isServed = true;
    this._sent = 0;
    for (const { number, message } of [...this._ends.current]) {
      this._write(number, message);
    }
  }

  /** There is no connection. */
  cut(): void {
    this._isServed = false;
  }

  /** Send a message from the page's own end; until there is a connection, it waits. */
  send(message: ArrayBuffer, isKept: boolean): void {
    const { number } = this._ends.own.add(message, isKept);
    if (this._isServed && this._ends.isOwn) {
      this._write(number, message);
    }
  }

  acknowledgeSoon(): void {
    this._timer ??= setTimeout(() => {
      this._timer = undefined;
      if (this._isServed && this._ends.isOwn && this._acknowledged() > this._sent) {
        this._write(0, null);
      }
    }, ACKNOWLEDGE_MS);
  }

  private _write(number: number, message: ArrayBuffer | null): void {
    if (this._connector.isOpen) {
      this._sent = this._acknowledged();
      this._connector.send(packFrame(number, this._sent, message));
    }
  }

  private _isServed = false;
  /** The number that was acknowledged last. */
  private _sent = 0;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
