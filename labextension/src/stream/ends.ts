import type { KernelMessage } from '@jupyterlab/services';

import { headingOf } from './clientFrames.js';
import { survivesInterrupt } from './launchNotices.js';
import type { Leftovers } from './leftovers.js';
import { FLEET_CHANNEL, madeMessage } from './madeMessages.js';
import { Outgoing } from './outgoing.js';

/** How often a message is sent that servers take for none. */
const MOST_REFUSALS = 3;

/**
 * The ends of a stream that send to its kernel: those of earlier pages of this tab, which deliver what
 * they had not, and then the page's own.
 */
export class Ends {
  /** @param pack - Puts a message into the v1 layout. */
  constructor(
    private readonly _kernelId: string,
    private readonly _sessionId: string,
    private readonly _leftovers: Leftovers,
    private readonly _pack: (message: KernelMessage.IMessage) => ArrayBuffer
  ) {
    this._own = this._newEnd();
  }

  /** Look for what earlier pages have left: before the page's own end is connected first. */
  async findLeft(): Promise<void> {
    const own = this._own;
    for (const left of await this._leftovers.take(this._kernelId)) {
      if (own === this._own) {
        this._left.push(Outgoing.of(left, this._leftovers, () => this._nothing()));
      } else {
        // Meanwhile a user has restarted the kernel.
        this._leftovers.drop(left);
      }
    }
  }

  get own(): Outgoing {
    return this._own;
  }

  /** The end whose turn it is. */
  get current(): Outgoing {
    return this._left[0] ?? this._own;
  }

  get isOwn(): boolean {
    return !this._left.length;
  }

  /** Whether everything has been delivered. */
  get isEmpty(): boolean {
    return this.isOwn && this._own.isEmpty;
  }

  /** An earlier page has nothing more to deliver. */
  next(): void {
    this._left.shift()?.drop();
  }

  /** What follows is another end's. @returns what this page has sent and no agent has said it has. */
  renew(): ArrayBuffer[] {
    for (const left of this._left.splice(0)) {
      left.drop();
    }
    const dropped = this._own.drop();
    this._own = this._newEnd();
    return dropped;
  }

  /** A user has interrupted the launch of the kernel. @returns what will not run. */
  interrupt(): ArrayBuffer[] {
    const mayTakeBack = (message: ArrayBuffer) => !survivesInterrupt(headingOf(message));
    for (const left of this._left) {
      left.takeBack(mayTakeBack);
    }
    return this._own.takeBack(mayTakeBack);
  }

  /**
   * A server has taken what it was sent for no message: it means the first one that has not arrived, which
   * would be sent again and again.
   *
   * @returns what is not sent any more, after several times.
   */
  refused(): ArrayBuffer[] {
    const end = this.current;
    const [first] = end;
    if (!first) {
      return [];
    }
    const message = `${end.nonce} ${first.number}`;
    const times = this._refused.message === message ? this._refused.times + 1 : 1;
    this._refused = { message, times };
    return times < MOST_REFUSALS ? [] : end.takeBack(one => one === first.message);
  }

  private _newEnd(): Outgoing {
    return Outgoing.anew(this._kernelId, this._sessionId, this._leftovers, () => this._nothing());
  }

  private _nothing(): ArrayBuffer {
    return this._pack(madeMessage(this._sessionId, FLEET_CHANNEL, 'nothing', {}));
  }

  private readonly _left: Outgoing[] = [];
  private _own: Outgoing;
  /** The message, by nonce and number, that servers have refused, and how often in a row. */
  private _refused = { message: '', times: 0 };
}
