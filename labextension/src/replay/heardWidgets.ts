import type { Kernel, KernelMessage } from '@jupyterlab/services';

import { numberOf } from '../stream/numbered.js';

type Message = KernelMessage.IMessage;

const WIDGET = 'jupyter.widget';
/** What catches the outputs of a cell: these come again in a replay, and in order with its changes. */
const OUTPUT_MODEL = 'OutputModel';
const COMM_TYPES: ReadonlySet<string> = new Set(['comm_open', 'comm_msg', 'comm_close']);

/** What a message of a widget may say; code of users may have published anything else. */
interface ICommContent {
  readonly comm_id?: string;
  readonly target_name?: string;
  readonly data?: {
    readonly method?: string;
    readonly state?: { readonly _model_name?: string } | null;
    readonly states?: Readonly<Record<string, { readonly model_name?: string } | null>>;
  } | null;
}

/**
 * Up to which message of the kernel the widgets of a page know their states.
 *
 * JupyterLab asks the kernel for all widgets when it connects, and knows them as they are. A replay has
 * how their cells made and changed them, but not what pages have changed since, which answers no cell:
 * a widget that heard it again would go back to that.
 */
export class HeardWidgets {
  constructor(private readonly _kernel: Pick<Kernel.IKernelConnection, 'clientId' | 'hasComm'>) {}

  /** Note a message that JupyterLab has handled. */
  handled(message: Message): void {
    const number = numberOf(message);
    const type = message.header.msg_type as string;
    if (number === undefined || !COMM_TYPES.has(type)) {
      return;
    }
    const { comm_id: comm = '', target_name: target, data } = message.content as ICommContent;
    if (type === 'comm_open' && target === WIDGET) {
      this._know(comm, data?.state?._model_name, number);
    } else if (type === 'comm_close') {
      this._known.delete(comm);
    } else if (this._isOwn(message)) {
      // What others' requests have said until then may still be held back; of states it is a part.
      const states = data?.method === 'update_states' ? (data.states ?? {}) : {};
      for (const [widget, state] of Object.entries(states)) {
        this._know(widget, state?.model_name, number);
      }
    } else if (this._known.has(comm)) {
      this._known.set(comm, number);
    }
  }

  /** Whether JupyterLab is to get a message of a replay, which has this number in the journal. */
  wants(message: Message, number: number): boolean {
    if (!COMM_TYPES.has(message.header.msg_type)) {
      return true;
    }
    const { comm_id: comm = '' } = message.content as ICommContent;
    const known = this._known.get(comm);
    // A widget of an earlier connection hears nothing any more.
    return known === undefined || number > known || !this._kernel.hasComm(comm);
  }

  private _know(comm: string, model: string | undefined, number: number): void {
    if (model !== OUTPUT_MODEL) {
      this._known.set(comm, number);
    }
  }

  private _isOwn(message: Message): boolean {
    return (message.parent_header as { session?: string }).session === this._kernel.clientId;
  }

  /** By comm: the number of the last message that its widget has heard. */
  private readonly _known = new Map<string, number>();
}
