import type { KernelMessage } from '@jupyterlab/services';

type Message = Pick<KernelMessage.IMessage, 'header'>;

const MOST = 20_000;

/**
 * The latest messages that have come with a number of the journal.
 *
 * A connection without numbers begins with what the page has not acknowledged, or whose acknowledgment
 * was lost: the page knows those messages by their ids.
 */
export class SeenMessages {
  /** @param most - How many are remembered. */
  constructor(private readonly _most = MOST) {}

  add({ header }: Message): void {
    this._ids.add(header.msg_id);
    if (this._ids.size > this._most) {
      const [oldest] = this._ids;
      this._ids.delete(oldest);
    }
  }

  has({ header }: Message): boolean {
    return this._ids.has(header.msg_id);
  }

  private readonly _ids = new Set<string>();
}
