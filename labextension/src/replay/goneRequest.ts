import { KernelMessage } from '@jupyterlab/services';

import type { IRecord } from '../stream/record.js';
import { askOnlyWhatIsOpen, type Future, type IAsking } from './adoptedRequest.js';
import { type GoneState, goneStateOf } from './goneState.js';

/** A request whose cell is not in the notebook: what it runs, and how far the kernel is with it. */
export class GoneRequest {
  /**
   * @param future - Fills an output area already.
   * @param changed - Called when anything of this has changed; `isQuestion`: the kernel asks now.
   */
  constructor(
    asking: IAsking,
    future: Future,
    private readonly _changed: (isQuestion: boolean) => void
  ) {
    const { record } = asking;
    this.sent = record.sent;
    this._count = record.count;
    this._state = goneStateOf(record);
    askOnlyWhatIsOpen(
      future,
      () => asking,
      () => this._become('asks')
    );
    future.registerMessageHook(message => {
      if (KernelMessage.isExecuteInputMsg(message)) {
        this._code = message.content.code;
        this._count = message.content.execution_count ?? this._count;
        // Nothing announces that it has begun.
        this._state = this._state === 'queued' ? 'running' : this._state;
        this._changed(false);
      }
      return true;
    });
    const over = () => this._become('done');
    // The kernel may be gone.
    future.done.then(over, over);
  }

  /** When it was sent, ISO 8601; null if nobody knows. */
  readonly sent: string | null;

  get state(): GoneState {
    return this._state;
  }
  get count(): number | null {
    return this._count;
  }
  /** Empty if the kernel has not said it again, or the journal has lost it. */
  get code(): string {
    return this._code;
  }

  /** The agent says how far it is. */
  announced(record: IRecord): void {
    this._count = record.count ?? this._count;
    this._become(goneStateOf(record));
  }

  private _become(state: GoneState): void {
    if (state !== this._state && this._state !== 'done') {
      this._state = state;
      this._changed(state === 'asks');
    }
  }

  private _state: GoneState;
  private _count: number | null;
  private _code = '';
}
