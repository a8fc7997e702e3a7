import type { KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { parentOf } from '../outputs/outputLimit.js';
import { isPrepared } from '../outputs/preparedMessages.js';

type Message = KernelMessage.IMessage;

/** The target at which widget managers ask for the states of all widgets of a kernel. */
const CONTROL = 'jupyter.widget.control';
/** Of more requests and comms a page knows those that were used last. */
const MOST = 10_000;

/** The messages that others may not prepare; `comm_close` takes away what is there. */
const HELD = new Set(['comm_open', 'comm_msg', 'comm_info_reply']);

/** The ids of comms that outlive a page. */
export interface IKeptComms {
  has(comm: string): boolean;
  add(comm: string): void;
}

/**
 * Which comms of a kernel are this user's: those that their own code has opened, or their page.
 *
 * A comm runs code in the page: a widget's state may name JavaScript. JupyterLab's widget manager opens
 * each one that it hears of, as soon as a notebook has a kernel, so it hears of no others, and of none
 * while others may have prepared the kernel (`KernelPeople`): code of theirs may run within one's own.
 */
export class OwnComms {
  /** The user trusts whoever has opened comms in this kernel. */
  isTrusted = false;

  /** No code of the kernel may act as the user: not by their own widgets either. */
  isShut = false;

  /** Emitted when JupyterLab gets a list of all that it may hear of. */
  get told(): ISignal<this, void> {
    return this._told;
  }

  /** Emitted when something of the user's own widgets is held back because of others. */
  get heldBack(): ISignal<this, void> {
    return this._heldBack;
  }

  /** Whether the user has sent a request before this page was loaded. */
  isEarlier: (request: string) => boolean = () => false;

  /** JupyterLab sends a message; `content` is that of one about a comm. */
  sent(header: { msg_id: string; msg_type: string }, content: JSONObject): void {
    const comm = content['comm_id'] as string;
    if (header.msg_type === 'execute_request') {
      add(this._requests, header.msg_id);
    } else if (header.msg_type === 'comm_open') {
      // What comes back by it is of all widgets: it makes nothing the user's own.
      add(content['target_name'] === CONTROL ? this._controls : this._comms, comm);
    } else if (header.msg_type === 'comm_msg' && this._isOwn(comm)) {
      add(this._requests, header.msg_id);
    }
  }

  /** The comms that this user's cells have opened before the page was loaded, and those from now on. */
  keep(kept: IKeptComms): void {
    this._kept = kept;
  }

  /** Others may have prepared the kernel (false), or not, as far as the user trusts them. */
  trustOnly(isMine: boolean): void {
    if (!isMine) {
      this.isTrusted = false;
    }
  }

  /** The user trusts those who have prepared the kernel: what they held back are the user's comms. */
  admitHeldBack(): void {
    this._waiting.forEach(comm => this._admit(comm));
    this._waiting.clear();
  }

  private _admit(comm: string): void {
    add(this._comms, comm);
    this._kept?.add(comm);
  }

  /** What JupyterLab gets of a message of the kernel; null if nothing. */
  given(message: Message): Message | null {
    const content = message.content as JSONObject;
    const comm = content['comm_id'] as string;
    if (this.isTrusted && !this.isShut) {
      if (message.header.msg_type === 'comm_info_reply' || this._controls.has(comm)) {
        this._told.emit();
      }
      return message;
    }
    const request = parentOf(message);
    const isAsked = !this.isShut && (has(this._requests, request) || this.isEarlier(request));
    if (isPrepared(message) && HELD.has(message.header.msg_type)) {
      return this._heldBackOf(message, isAsked);
    }
    switch (message.header.msg_type) {
      case 'comm_open':
        if (isAsked) {
          this._admit(comm);
        }
        return isAsked ? message : null;
      case 'comm_msg':
        if (this._controls.has(comm)) {
          this._told.emit();
          return this._withOwn(message, content['data'] as JSONObject, 'states', data => ({
            data
          }));
        }
        return isAsked && this._isOwn(comm) ? message : null;
      case 'comm_info_reply':
        this._told.emit();
        return this._withOwn(message, content, 'comms', reply => reply);
      default:
        return message;
    }
  }

  /** What JupyterLab gets of a message about comms into which others may have put something. */
  private _heldBackOf(message: Message, isAsked: boolean): Message | null {
    const content = message.content as JSONObject;
    const comm = content['comm_id'] as string;
    const data = (content['data'] ?? {}) as JSONObject;
    const isOpen = message.header.msg_type === 'comm_open';
    const isControl = this._controls.has(comm);
    if (isOpen && isAsked) {
      add(this._waiting, comm);
    }
    const all = (isControl ? data['states'] : content['comms']) as JSONObject | undefined;
    if (isOpen ? isAsked : [comm, ...Object.keys(all ?? {})].some(one => this._isOwn(one))) {
      this._heldBack.emit();
    }
    if (isControl) {
      return { ...message, content: { ...content, data: { ...data, states: {} } } };
    }
    return message.header.msg_type === 'comm_info_reply'
      ? { ...message, content: { ...content, comms: {} } }
      : null;
  }

  /** `message` with no others than the user's own among those under a name, by their ids. */
  private _withOwn(
    message: Message,
    holder: JSONObject | undefined,
    name: string,
    inContent: (holder: JSONObject) => JSONObject
  ): Message {
    const all = Object.entries((holder?.[name] ?? {}) as JSONObject);
    const own = Object.fromEntries(all.filter(([comm]) => this._isOwn(comm)));
    const changed = inContent({ ...holder, [name]: own });
    return { ...message, content: { ...message.content, ...changed } };
  }

  private _isOwn(comm: string): boolean {
    return has(this._comms, comm) || (!this.isShut && !!this._kept?.has(comm));
  }

  private _kept: IKeptComms | null = null;
  private readonly _heldBack = new Signal<this, void>(this);
  /** The comms that the user's code has opened while others may have prepared the kernel. */
  private readonly _waiting = new Set<string>();
  private readonly _told = new Signal<this, void>(this);
  private readonly _requests = new Set<string>();
  private readonly _comms = new Set<string>();
  private readonly _controls = new Set<string>();
}

/** What is used stays: a request may go on for days while others come and go. */
function has(all: Set<string>, one: string): boolean {
  const isThere = all.has(one);
  if (isThere) {
    add(all, one);
  }
  return isThere;
}

function add(all: Set<string>, one: string): void {
  all.delete(one);
  all.add(one);
  if (all.size > MOST) {
    const [oldest] = all;
    all.delete(oldest);
  }
}
