import type { KernelMessage } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import { abortedAnswers, endedAnswers, invalidAnswers, tooLongAnswers } from './answers.js';
import { headingOf } from './clientFrames.js';
import { madeMessage } from './madeMessages.js';

type Message = KernelMessage.IMessage;

/** What the page says to JupyterLab in place of a kernel. */
export class PageVoice {
  /** @param say - Hands a message over. */
  constructor(private readonly _say: (message: Message) => void) {}

  /** How far the kernel's launch has come. */
  status(content: object): void {
    this._say(madeMessage(this._session, 'iopub', 'status', content));
  }

  /** What the page has sent will not run. */
  aborted(messages: readonly ArrayBuffer[]): void {
    this._sayAll(messages.flatMap(one => abortedAnswers(this._session, headingOf(one))));
  }

  /** The kernel has ended, and its agent has not said that it has these. */
  ended(messages: readonly ArrayBuffer[]): void {
    this._sayAll(messages.flatMap(one => endedAnswers(this._session, headingOf(one))));
  }

  /** The agent takes none of these. */
  invalid(messages: readonly ArrayBuffer[]): void {
    this._sayAll(messages.flatMap(one => invalidAnswers(this._session, headingOf(one))));
  }

  /** The page does not send this message: it has too many bytes. */
  tooLong(message: ArrayBuffer): void {
    this._sayAll(tooLongAnswers(this._session, headingOf(message), message.byteLength));
  }

  private _sayAll(messages: readonly Message[]): void {
    messages.forEach(message => this._say(message));
  }

  /** The session of these messages, which no kernel has. */
  private readonly _session = UUID.uuid4();
}
