import type { CodeCell } from '@jupyterlab/cells';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { KernelStream } from '../stream/kernelStream.js';
import { numberOf } from '../stream/numbered.js';
import type { IHeld, IIndexed, IRecord, Runs } from '../stream/record.js';
import { fillCell, type Future, futureIn, futureOf } from './adoptedRequest.js';
import { EarlierVersions } from './earlierVersion.js';
import type { GoneCells } from './goneCells.js';
import { outputOfDeath } from './kernelDied.js';
import { holesOf, type IHole, missingText } from './missingMessages.js';
import type { NotebookCells } from './notebookCells.js';
import { OwnRequests } from './ownRequests.js';
import { refillOf } from './refills.js';
import { sourceHash } from './sourceHash.js';
import type { UnsavedOutputs } from './unsavedOutputs.js';

/** What this page knows of a kernel's requests, and how they fill the cells of one notebook. */
export class NotebookReplay {
  constructor(
    private readonly _kernel: Kernel.IKernelConnection,
    private readonly _stream: KernelStream,
    private readonly _cells: NotebookCells,
    private readonly _unsaved: UnsavedOutputs,
    private readonly _earlier: EarlierVersions,
    private readonly _gone: GoneCells,
    private readonly _trans: TranslationBundle
  ) {
    _kernel.anyMessage.connect(this._heard);
    _kernel.iopubMessage.connect(this._handled);
    _stream.announced.connect(this._announced);
  }

  /** Fill the cells with what they lack, and follow the kernel from then on. */
  async start(): Promise<void> {
    await this._stream.replay(
      () => this._cells.held(),
      (index, missing) => this._begin(index, missing)
    );
    if (!this._isEnded) {
      this._isReplaying = false;
      this._gone.tell();
      void this._unsaved.ask();
    }
  }

  /** The notebook has another kernel, or is closed. */
  end(): void {
    this._isEnded = true;
    this._kernel.anyMessage.disconnect(this._heard);
    this._kernel.iopubMessage.disconnect(this._handled);
    this._stream.announced.disconnect(this._announced);
  }

  private _begin(index: readonly IIndexed[], missing: Runs): void {
    if (this._isDead) {
      return;
    }
    const horizon = Math.max(0, ...index.map(({ last, asks }) => Math.max(last, asks ?? 0)));
    const holes = holesOf(index, missing);
    const cellOf = this._cells.matching(index);
    const held = this._cells.held();
    for (const record of index) {
      this._known.add(record.request);
      const id = cellOf(record);
      const own = holes.get(record.request) ?? [];
      if (id === null) {
        this._gone.add(record, index, Object.values(held), () => this._adopt(record, null));
      } else if (!this._own.isComing(id)) {
        this._fill(record, id, held[id], refillOf(record, held[id], missing), own, horizon);
      }
    }
  }

  /** JupyterLab takes no messages of such a kernel, and makes no futures: cells keep what they have. */
  private get _isDead(): boolean {
    return this._kernel.status === 'dead';
  }

  /** Another page or program has sent a request, or one has gone on. */
  private readonly _announced = (_: unknown, record: IRecord): void => {
    if (record.session === this._stream.sessionId) {
      this._own.announced(record.request);
      return;
    }
    const { cell, request } = record;
    if (record.state === 'done') {
      void this._unsaved.ask();
    }
    if (cell === null || this._known.has(request) || record.state === 'done' || this._isDead) {
      return;
    }
    this._known.add(request);
    // What this page has sent meanwhile comes later in the kernel.
    if (this._cells.widget(cell) && !this._own.isComing(cell)) {
      this._fill(record, cell, null, 'refill', [], 0);
    }
  };

  private _fill(
    record: IRecord,
    id: string,
    held: IHeld | null,
    refill: ReturnType<typeof refillOf>,
    holes: readonly IHole[],
    horizon: number
  ): void {
    const cell = this._cells.widget(id);
    if (!cell) {
      return;
    }
    const before = futureIn(cell.outputArea);
    const same = before?.msg.header.msg_id === record.request ? before : null;
    const future = this._adopt(record, id, same);
    if (record.session !== this._stream.sessionId) {
      this._adopted.add(record.request);
    }
    if (refill === 'refill') {
      this._cells.began(id, record.request);
    }
    fillCell(cell, future, {
      record,
      refill,
      held,
      holes,
      horizon,
      change: change => this._change(record, change),
      cellNow: of => this._widgetOf(id, of),
      missingText: count => missingText(count, this._stream.limit, this._trans),
      dropQuestion: () => {
        this._kernel.hasPendingInput = false;
      }
    });
    const code = cell.model.sharedModel.getSource();
    this._earlier.mark(id, record.source !== null && record.source !== sourceHash(code));
  }

  private _adopt(record: IRecord, id: string | null, same: Future | null = null): Future {
    this._stream.adopt(record.request, !same);
    if (same) {
      return same;
    }
    this._adopting = true;
    try {
      const code = (id !== null && this._cells.widget(id)?.model.sharedModel.getSource()) || '';
      return futureOf(this._kernel, record, code, id);
    } finally {
      this._adopting = false;
    }
  }

  /** The widget of a cell, while this future fills it. */
  private _widgetOf(id: string, future: Future): CodeCell | undefined {
    const cell = this._cells.widget(id);
    return cell?.outputArea.future === future ? cell : undefined;
  }

  /** What this page's own requests say is for this page to save; all else is for whoever ran it. */
  private _change(record: IRecord, change: () => void): void {
    if (record.session === this._stream.sessionId && !this._isReplaying) {
      change();
    } else {
      this._unsaved.change(change);
    }
  }

  private readonly _heard = (_: unknown, { msg, direction }: Kernel.IAnyMessageArgs): void => {
    if (direction === 'send') {
      if (msg.header.msg_type === 'execute_request' && !this._adopting) {
        this._sent(msg as KernelMessage.IExecuteRequestMsg);
      }
    } else if (msg.header.msg_type === 'execute_reply') {
      this._replied(msg as KernelMessage.IExecuteReplyMsg);
    }
  };

  private _sent(message: KernelMessage.IExecuteRequestMsg): void {
    const cell = (message.metadata as { cellId?: unknown }).cellId;
    if (typeof cell === 'string' && this._cells.widget(cell)) {
      const request = message.header.msg_id;
      this._known.add(request);
      this._own.sent(request, cell);
      this._cells.began(cell, request);
      this._earlier.mark(cell, false);
    }
  }

  /** A cell whose kernel died says so. */
  private _replied(reply: KernelMessage.IExecuteReplyMsg): void {
    const output = outputOfDeath(reply);
    const request = (reply.parent_header as { msg_id?: string }).msg_id ?? '';
    const id = this._cells.cellOf(request);
    const cell = id === undefined ? undefined : this._cells.widget(id);
    const future = cell && futureIn(cell.outputArea);
    if (!output || !future || future.msg.header.msg_id !== request) {
      return;
    }
    const show = () => void this._widgetOf(id!, future)?.model.outputs.add({ ...output });
    void future.done.then(
      () => (this._adopted.has(request) ? this._unsaved.change(show) : show()),
      () => undefined
    );
  }

  private readonly _handled = (_: unknown, message: KernelMessage.IIOPubMessage): void => {
    const { display_id: display } =
      (message.content as { transient?: { display_id?: string } }).transient ?? {};
    this._cells.handled({
      request: (message.parent_header as { msg_id?: string }).msg_id ?? '',
      type: message.header.msg_type,
      display,
      number: numberOf(message),
      journal: this._stream.journal
    });
  };

  /** The requests that have been announced. */
  private readonly _known = new Set<string>();
  private readonly _own = new OwnRequests();
  /** The requests that other pages have sent. */
  private readonly _adopted = new Set<string>();
  private _adopting = false;
  private _isReplaying = true;
  private _isEnded = false;
}
