import type { KernelMessage } from '@jupyterlab/services';

type Message = Pick<KernelMessage.IMessage, 'header'>;

const MOST = 20_000;

/**
 * The latest messages that have come, and on which connection.
 *
 * A connection without numbers begins with what was not acknowledged before, or whose acknowledgment
 * was lost: the page knows those messages by their ids. On one connection nothing comes again, so two
 * messages there are two, also of a kernel that gives both the same id.
 */
export class SeenMessages {
  /** @param most - How many are remembered. */
  constructor(private readonly _most = MOST) {}

  /** A connection without numbers begins. */
  began(): void {
    this._connection += 1;
  }

  add({ header }: Message): void {
    this._connections.set(header.msg_id, this._connection);
    if (this._connections.size > this._most) {
      const [oldest] = this._connections.keys();
      this._connections.delete(oldest);
    }
  }

  /** Whether the message has come on an earlier connection. */
  has({ header }: Message): boolean {
    return (this._connections.get(header.msg_id) ?? Infinity) < this._connection;
  }

  /** By message id. */
  private readonly _connections = new Map<string, number>();
  private _connection = 0;
}
