import type { KernelMessage } from '@jupyterlab/services';

import { ExecutionState } from './executionState.js';

type Message = KernelMessage.IMessage;

/**
 * When the server is asked again about a kernel that was busy when the page connected: first soon, as
 * it may have been busy with what the page asks of each kernel.
 */
const ASK_AGAIN_MS = 1_000;
const LONGEST_WAIT_MS = 10_000;

/**
 * Whether a kernel is busy: asks the server until the kernel's messages tell.
 */
export class AskedState {
  /**
   * @param untracked - The types of requests whose statuses JupyterLab ignores.
   * @param ask - Asks the server for the kernel's `execution_state`; null if it cannot tell.
   * @param say - Called with the statuses that JupyterLab should hear.
   */
  constructor(
    private readonly _untracked: readonly string[],
    private readonly _ask: () => Promise<string | null>,
    private readonly _say: (message: Message) => void
  ) {
    this._state = new ExecutionState(_untracked);
  }

  /** JupyterLab has connected and knows nothing of the kernel's state; or messages are missing. */
  start(): void {
    this.stop();
    this._state = new ExecutionState(this._untracked, this._state);
    this._running = true;
    void this._askState(this._state, ASK_AGAIN_MS);
  }

  stop(): void {
    this._running = false;
    clearTimeout(this._timer);
  }

  /** The message as JupyterLab should take it; what it should hear next is said. */
  heard(message: Message, pass: (message: Message) => void): void {
    pass(this._state.heard(message));
    const status = this._state.answered(message);
    if (status) {
      this._say(status);
    }
    if (this._running && this._state.isUncertain && !this._asking) {
      void this._askState(this._state, ASK_AGAIN_MS);
    }
  }

  private async _askState(state: ExecutionState, wait: number): Promise<void> {
    this._asking = true;
    const told = await this._ask();
    if (!this._running || state !== this._state) {
      return;
    }
    const status = told === null ? null : state.told(told);
    if (status) {
      this._say(status);
    }
    this._asking = state.isUncertain;
    if (this._asking) {
      const next = Math.min(2 * wait, LONGEST_WAIT_MS);
      this._timer = setTimeout(() => void this._askState(state, next), wait);
    }
  }

  private _state: ExecutionState;
  private _running = false;
  private _asking = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
