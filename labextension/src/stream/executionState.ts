import type { KernelMessage } from '@jupyterlab/services';

import { parentOf } from '../outputs/outputLimit.js';
import { madeMessage } from './madeMessages.js';

type Message = KernelMessage.IMessage;

/** A request whose statuses say nothing about whether the kernel is busy, as JupyterLab sees it. */
const UNTRACKED = 'kernel_info_request';
/** Represents the request that was running when the page connected. */
const EARLIER = '';
/** How often in a row the server says that a kernel is dead before the page does: its last words come first. */
const MOST_DEAD = 3;

/**
 * Whether a kernel is busy, from the moment when JupyterLab connects.
 *
 * JupyterLab believes the last status. But the `idle` of another request, on a subshell or on the
 * control channel, comes while a cell runs; and what runs when a page connects was said before.
 */
export class ExecutionState {
  /**
   * @param untracked - The types of requests whose statuses JupyterLab ignores.
   * @param before - What was known before messages went missing; null if JupyterLab knows nothing.
   */
  constructor(untracked: readonly string[], before: ExecutionState | null = null) {
    this._untracked = new Set(untracked);
    if (before?._running.size) {
      this._running.add(EARLIER);
    }
  }

  /** Whether only the server can tell if something runs that began before the page connected. */
  get isUncertain(): boolean {
    return !this._knows;
  }

  /** The message as JupyterLab should take it: it ignores an `idle` while something else runs. */
  heard(message: Message): Message {
    this._session = message.header.session;
    if (message.header.msg_type !== 'status') {
      return message;
    }
    const parent = message.parent_header as { msg_type?: string } | null;
    if (this._untracked.has(parent?.msg_type ?? '')) {
      return message;
    }
    const { execution_state: state } = message.content as { execution_state: string };
    const request = parentOf(message);
    if (state === 'busy') {
      this._running.add(request);
      if (parent?.msg_type === 'execute_request') {
        // Cells run one after the other: an earlier one has ended.
        this._running.delete(EARLIER);
        this._knows = true;
      }
      return message;
    }
    if (state !== 'idle' || !request) {
      this._running.clear();
      // Of a kernel that starts nobody says when it is idle.
      this._knows = state !== 'starting';
      return message;
    }
    if (!this._running.delete(request)) {
      // It began before the page connected.
      this._running.delete(EARLIER);
      this._knows = true;
    }
    return this._running.size ? past(message) : message;
  }

  /**
   * Take the kernel's answer to what the page asks of each kernel first: it runs no cell then.
   *
   * @returns the status that JupyterLab should hear, or null if it has heard better.
   */
  answered(message: Message): Message | null {
    const { status } = message.content as { status?: string };
    const answer = message.header.msg_type === 'kernel_info_reply' && status !== 'aborted';
    // Some kernels answer while a cell runs: what the server has said of it counts more.
    return answer && !this._running.has(EARLIER) ? this.told('idle') : null;
  }

  /**
   * Take what the server says of the kernel.
   *
   * @returns the status that JupyterLab should hear, or null if it has heard better.
   */
  told(state: string): Message | null {
    if (!this.isUncertain) {
      return null;
    }
    this._deaths = state === 'dead' ? this._deaths + 1 : 0;
    if (state === 'busy') {
      this._running.add(EARLIER);
      return this._status('busy');
    }
    if (state === 'dead' && this._running.has(EARLIER)) {
      // JupyterLab must not show it as busy for ever.
      return this._deaths < MOST_DEAD ? null : this._status('dead');
    }
    this._running.delete(EARLIER);
    if (state !== 'idle') {
      return null;
    }
    this._knows = true;
    return this._running.size ? null : this._status('idle');
  }

  private _status(state: 'busy' | 'idle' | 'dead'): Message {
    // JupyterLab drops what waits when a message comes from another session of the kernel.
    return madeMessage(this._session, 'iopub', 'status', { execution_state: state });
  }

  private readonly _untracked: ReadonlySet<string>;
  private readonly _running = new Set<string>();
  private _knows = false;
  private _deaths = 0;
  private _session = '';
}

/** A message whose status says nothing about the present; its request is told by its id, which stays. */
export function past(message: Message): Message {
  return message.header.msg_type === 'status'
    ? ({
        ...message,
        parent_header: { ...message.parent_header, msg_type: UNTRACKED }
      } as Message)
    : message;
}
