import type { KernelMessage } from '@jupyterlab/services';

import { SOURCE_LENGTH } from '../contents/heldMetadata.js';
import { numberOf } from '../stream/numbered.js';
import type { IHeld } from '../stream/record.js';

/** What of a message on iopub says which outputs it changes. */
export interface IHandled {
  /** The request that it answers. */
  readonly request: string;
  readonly type: string;
  /** The id of the display that it shows or changes. */
  readonly display: string | undefined;
  /** Its number in the journal; undefined if it is not in there. */
  readonly number: number | undefined;
  /** The id of that journal; null if there is none. */
  readonly journal: string | null;
}

/** @param journal - The kernel's journal, from which the message comes. */
export function handledOf(message: KernelMessage.IIOPubMessage, journal: string | null): IHandled {
  const { transient } = message.content as { transient?: { display_id?: string } };
  return {
    request: (message.parent_header as { msg_id?: string }).msg_id ?? '',
    type: message.header.msg_type,
    display: transient?.display_id,
    number: numberOf(message),
    journal
  };
}

/**
 * Which request's outputs each cell of a notebook holds, and up to which number of the journal.
 *
 * A change of a display counts for the cells that show it, as it does for the kernel's agent.
 */
export class HeldOutputs {
  /**
   * The outputs of a cell are those of this request from now on; it has nothing of it yet.
   *
   * @param sent - When the request was sent, ISO 8601; null if nobody knows.
   * @param source - The `sourceHash` of what it ran; null if nobody knows.
   */
  began(
    cell: string,
    request: string,
    sent: string | null = null,
    source: string | null = null
  ): void {
    this.holds(cell, {
      request,
      number: 0,
      ...(sent !== null && { sent }),
      ...(source !== null && { source: source.slice(0, SOURCE_LENGTH) })
    });
  }

  /** The outputs of a cell hold this. */
  holds(cell: string, held: IHeld): void {
    this._cells.set(held.request, cell);
    this._held.set(cell, held);
  }

  /** Nobody knows what the outputs of a cell hold. */
  forget(cell: string): void {
    this._held.delete(cell);
  }

  /** The cell that a request fills; undefined if it fills none here. */
  cellOf(request: string): string | undefined {
    const cell = this._cells.get(request);
    return cell !== undefined && this._held.get(cell)?.request === request ? cell : undefined;
  }

  of(cell: string): IHeld | null {
    return this._held.get(cell) ?? null;
  }

  /**
   * Note a message that JupyterLab has handled.
   *
   * @param isFilled - Whether a cell still shows what a request says.
   */
  handled(
    { request, type, display, number, journal }: IHandled,
    isFilled: (cell: string, request: string) => boolean
  ): void {
    const requests = new Set([request]);
    if (display !== undefined) {
      const shown = this._displays.get(display) ?? new Set();
      this._displays.set(display, shown);
      if (type !== 'update_display_data') {
        shown.add(request);
      }
      for (const other of shown) {
        if (this.cellOf(other) === undefined) {
          shown.delete(other);
        } else {
          requests.add(other);
        }
      }
    }
    for (const one of requests) {
      const cell = this.cellOf(one);
      if (cell !== undefined && number !== undefined && isFilled(cell, one)) {
        const before = this._held.get(cell)!;
        this._held.set(cell, {
          ...before,
          number: Math.max(before.number, number),
          ...(journal !== null && { journal })
        });
      }
    }
  }

  private readonly _held = new Map<string, IHeld>();
  private readonly _cells = new Map<string, string>();
  private readonly _displays = new Map<string, Set<string>>();
}
