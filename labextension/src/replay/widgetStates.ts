import type { Kernel, KernelMessage } from '@jupyterlab/services';

import { madeMessage } from '../stream/madeMessages.js';
import { isReplayed } from '../stream/numbered.js';

/** The comms of widgets, and the one by which the states of all of them are asked for. */
const WIDGET = 'jupyter.widget';
const CONTROL = 'jupyter.widget.control';
const VERSION = '1.0.0';
/** What pages add to their output, they tell the kernel later. */
const OUTPUT_MODEL = 'OutputModel';
/** A replay goes on within this time, or is over. */
const PAUSE_MS = 500;

/** A kernel's answer about its widgets, by the ids of their comms, which begin the paths as well. */
interface IStates {
  readonly states: Record<string, { readonly model_name: string; readonly state: object }>;
  readonly buffer_paths: readonly (readonly [string, ...(string | number)[]])[];
}

/** What a kernel would have said if all its widgets had changed to their present states just now. */
export function updatesOf(
  { header, parent_header: parent, content, buffers }: KernelMessage.ICommMsgMsg,
  isKnown: (comm: string) => boolean
): KernelMessage.IMessage[] {
  const { states, buffer_paths: paths } = content.data as unknown as IStates;
  return Object.entries(states)
    .filter(([comm, { model_name: name }]) => isKnown(comm) && name !== OUTPUT_MODEL)
    .map(([comm, { state }]) => {
      const own = [...paths.keys()].filter(at => paths[at][0] === comm);
      const data = {
        method: 'update',
        state,
        buffer_paths: own.map(at => paths[at].slice(1))
      };
      const update = { comm_id: comm, data };
      return {
        ...madeMessage(header.session, 'iopub', 'comm_msg', update, parent),
        buffers: own.map(at => buffers![at])
      };
    });
}

/**
 * Brings the widgets of a page to the states that they have in the kernel.
 *
 * A replay makes them as they were made: what pages have changed since answers no cell, and is not in it.
 */
export class WidgetStates {
  /** @param say - Gives JupyterLab messages in place of the kernel. */
  constructor(
    private readonly _kernel: Kernel.IKernelConnection,
    private readonly _say: (messages: readonly KernelMessage.IMessage[]) => void
  ) {}

  /** Note a message that JupyterLab has handled. */
  handled(message: KernelMessage.IIOPubMessage): void {
    const type = message.header.msg_type;
    if (!isReplayed(message) || (type !== 'comm_open' && type !== 'comm_msg')) {
      return;
    }
    const { target_name: target } = message.content as { target_name?: string };
    this._isPast ||= target === WIDGET;
    if (this._isPast) {
      clearTimeout(this._timer);
      this._timer = setTimeout(() => this._ask(), PAUSE_MS);
    }
  }

  /** The notebook has another kernel, or is closed. */
  end(): void {
    clearTimeout(this._timer);
  }

  private _ask(): void {
    this._isPast = false;
    const kernel = this._kernel;
    if (kernel.isDisposed || kernel.status === 'dead' || !kernel.handleComms) {
      return;
    }
    const comm = kernel.createComm(CONTROL);
    comm.onMsg = message => {
      this._say(updatesOf(message, id => kernel.hasComm(id)));
      comm.close();
    };
    comm.open({}, { version: VERSION });
    comm.send({ method: 'request_states' });
  }

  /** Whether widgets may have other states than in the kernel. */
  private _isPast = false;
  private _timer: ReturnType<typeof setTimeout> | undefined;
}
