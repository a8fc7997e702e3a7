import type { KernelMessage } from '@jupyterlab/services';

import { headingOf } from './clientFrames.js';
import { survivesInterrupt } from './launchNotices.js';
import type { Leftovers } from './leftovers.js';
import { FLEET_CHANNEL, madeMessage } from './madeMessages.js';
import { Outgoing } from './outgoing.js';

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
    this._left = _leftovers
      .take(_kernelId)
      .map(left => Outgoing.of(left, _leftovers, () => this._nothing()));
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

  private _newEnd(): Outgoing {
    return new Outgoing(this._kernelId, this._sessionId, this._leftovers, () => this._nothing());
  }

  private _nothing(): ArrayBuffer {
    return this._pack(madeMessage(this._sessionId, FLEET_CHANNEL, 'nothing', {}));
  }

  private readonly _left: Outgoing[];
  private _own: Outgoing;
}
