import type { CodeCell } from '@jupyterlab/cells';
import type { Kernel, KernelMessage } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import {
  type Death,
  died,
  notRun,
  outputOfDeath,
  REPLACED,
  SHUT_DOWN,
  wasShutDown
} from '../outputs/kernelDied.js';
import type { TabSet } from '../page/tabSet.js';
import type { KernelStream } from '../stream/kernelStream.js';
import { holesBehind, holesOf, type IHole, missingText } from '../stream/missingMessages.js';
import type { IHeld, IIndexed, IRecord, Runs } from '../stream/record.js';
import { addHoles, fillCell, type Future, futureIn, futureOf } from './adoptedRequest.js';
import { EarlierVersions } from './earlierVersion.js';
import type { GoneCells } from './goneCells.js';
import { handledOf } from './heldOutputs.js';
import { MadeFutures } from './madeFutures.js';
import type { NotebookCells } from './notebookCells.js';
import { OpenQuestion } from './openQuestion.js';
import { OwnRequests } from './ownRequests.js';
import { isOlder, newestHeld, refillOf } from './refills.js';
import type { SentCode } from './sentCode.js';
import { sourceHash } from './sourceHash.js';
import { type IUnfinished, UnfinishedRequests } from './unfinishedRequests.js';
import type { UnsavedOutputs } from './unsavedOutputs.js';

/** A cell that was not done, and what fills it. */
interface ILeft extends IUnfinished {
  readonly future: Future;
}

/** What this page knows of a kernel's requests, and how they fill the cells of one notebook. */
export class NotebookReplay {
  constructor(
    private readonly _kernel: Kernel.IKernelConnection,
    private readonly _stream: KernelStream,
    private readonly _cells: NotebookCells,
    private readonly _unsaved: UnsavedOutputs,
    /** The sessions in which this tab has run cells: what these say is for this page to save. */
    private readonly _tab: TabSet,
    private readonly _sentCode: SentCode,
    private readonly _earlier: EarlierVersions,
    private readonly _gone: GoneCells,
    /** Why the kernel has ended, empty if nobody knows; null if it has not, only this page lets it go. */
    private readonly _endReason: () => string | null,
    private readonly _trans: TranslationBundle
  ) {
    this._question = new OpenQuestion(_kernel);
    _kernel.disposed.connect(this._ended);
    _kernel.anyMessage.connect(this._heard);
    _kernel.iopubMessage.connect(this._handled);
    _stream.announced.connect(this._announced);
    _stream.over.connect(this._ended);
  }

  /** Fill the cells with what they lack, and follow the kernel from then on. */
  async start(): Promise<void> {
    await this._replay();
    if (!this._isEnded) {
      this._isReplaying = false;
      this._gone.tell();
      void this._unsaved.ask();
      this.fillLost();
    }
  }

  /**
   * Cells may have been replaced: those that the kernel still runs are filled again, and those that the
   * notebook has now and had not.
   */
  fillLost(): void {
    if (this._isReplaying || this._isEnded) {
      return;
    }
    const lost = new Set([
      ...this._gone.take(record => record.cell !== null && this._cells.takes(record.cell, record)),
      ...this._unfinished.lost(cell => this._cells.filledBy(cell)),
      ...this._made.replaced(request => this._shownIn(request)?.outputArea)
    ]);
    if (lost.size) {
      void this._replay(lost);
    }
  }

  /** The notebook gets this kernel from now on. */
  replacedBy(kernel: string): void {
    if (kernel !== this._kernel.id) {
      this._showEnds(REPLACED);
    }
    this.end();
  }

  /** The notebook has another kernel, or is closed. */
  end(): void {
    this._isEnded = true;
    this._kernel.disposed.disconnect(this._ended);
    this._kernel.anyMessage.disconnect(this._heard);
    this._kernel.iopubMessage.disconnect(this._handled);
    this._stream.announced.disconnect(this._announced);
    this._stream.over.disconnect(this._ended);
  }

  /** @param lost - The requests that fill their cells again; without it, all that cells lack. */
  private _replay(lost?: ReadonlySet<string>): Promise<void> {
    let asked = 0;
    return this._stream.replay(
      () => {
        asked += 1;
        this._own.asked();
        return (this._asked = this._cells.held(lost));
      },
      // The same question is asked again after a gap in the journal: then it is about all cells.
      (index, missing) => this._begin(index, missing, asked === 1 ? lost : undefined),
      missing => this._lacks(missing)
    );
  }

  private _begin(index: readonly IIndexed[], missing: Runs, only?: ReadonlySet<string>): void {
    if (this._isDead) {
      return;
    }
    this._index = index;
    this._futures.clear();
    const indexed = new Set(index.map(({ request }) => request));
    const isLater = (cell: string) => this._own.isLater(cell, indexed);
    this._unfinished.keep((request, cell) => indexed.has(request) || isLater(cell));
    const horizon = Math.max(0, ...index.map(({ last, asks }) => Math.max(last, asks ?? 0)));
    const holes = holesOf(index, missing);
    const cellOf = this._cells.matching(index);
    const held = this._cells.held();
    const newest = newestHeld(index, Object.values(held));
    // eslint-disable-next-line no-restricted-properties -- Other pages' clocks are compared with it.
    const now = Date.now();
    for (const record of index) {
      this._known.add(record.request);
      this._own.announced(record.request);
      if (only && !only.has(record.request)) {
        continue;
      }
      const id = cellOf(record);
      const has = id === null ? null : held[id];
      const own = holes.get(record.request) ?? [];
      if (isOlder(record, has, this._stream.journal, now)) {
        continue;
      }
      if (id === null || !this._cells.takes(id, record)) {
        this._tellOf(record, horizon, newest);
      } else if (!isLater(id)) {
        // What has come since the question is joined to what follows in the answer.
        const isAll = has?.number === this._asked[id]?.number;
        const isHeard = isAll && this._cells.filledBy(id) === record.request;
        const refill = refillOf(record, has, missing, isHeard);
        const lacks = refill === 'append' ? holesBehind(own, has!.number) : own;
        this._gone.forget(record.request);
        this._fill(record, id, has, refill, lacks, horizon);
      }
    }
  }

  /** The journal has lost more since the cells began to be filled. */
  private _lacks(missing: Runs): void {
    for (const [request, holes] of holesOf(this._index, missing)) {
      const future = this._futures.get(request);
      if (future) {
        addHoles(future, holes);
      }
    }
  }

  /** JupyterLab takes no messages of such a kernel, and makes no futures: cells keep what they have. */
  private get _isDead(): boolean {
    return this._kernel.status === 'dead';
  }

  /** Another page or program has sent a request, or one has gone on. */
  private readonly _announced = (_: unknown, record: IRecord): void => {
    const { cell, request } = record;
    const gone = this._gone.announced(record);
    if (record.asks === null) {
      this._question.settled(request, gone ?? this._shownIn(request)?.outputArea);
    }
    if (record.state === 'done') {
      this._unfinished.ended(request, id => this._cells.filledBy(id) === request);
    }
    if (record.session === this._stream.sessionId) {
      this._own.announced(request);
      return;
    }
    if (record.state === 'done') {
      void this._unsaved.ask();
    }
    if (cell === null || this._known.has(request) || record.state === 'done' || this._isDead) {
      return;
    }
    this._known.add(request);
    if (!this._cells.takes(cell, record)) {
      // What runs in cells that this page has not is not told of live.
      if (this._cells.widget(cell)) {
        this._tellOf(record, 0, 0, true);
      }
    } else if (!this._own.isComing(cell)) {
      // What this page has sent meanwhile comes later in the kernel.
      this._fill(record, cell, null, 'refill', [], 0);
    }
  };

  /** What ran is in no cell of the notebook, as this page has it. */
  private _tellOf(record: IRecord, horizon: number, newest: number, isLive = false): void {
    const asking = { record, horizon, dropQuestion: () => this._question.dropped() };
    this._gone.add(asking, newest, () => this._adopt(record, null), isLive);
  }

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
    if (this._made.isReplacedIn(cell.outputArea, record.request)) {
      // JupyterLab would dispose it, and forget the other one then.
      cell.outputArea.detachFuture();
    }
    const before = futureIn(cell.outputArea);
    const same = before?.msg.header.msg_id === record.request ? before : null;
    const future = this._adopt(record, id, same);
    this._futures.set(record.request, future);
    if (!this._isMine(record)) {
      this._others.add(record.request);
    }
    if (record.state === 'done') {
      this._unfinished.ended(record.request, () => true);
    } else {
      this._unfinished.began(record.request, id);
    }
    if (refill === 'refill') {
      this._cells.began(id, record.request, record.sent, record.source, this._isMine(record));
    }
    const text = cell.model.sharedModel.getSource();
    fillCell(cell, future, {
      record,
      isTrusted: this._sentCode.has(record.request, sourceHash(text)),
      refill,
      held,
      holes,
      horizon,
      change: change => this._change(record, change),
      cellNow: of => this._widgetOf(id, of),
      missingText: count => missingText(count, this._stream.limit, this._trans),
      dropQuestion: () => this._question.dropped()
    });
    this._earlier.mark(id, record.source, text, this._isMine(record));
  }

  private _adopt(record: IRecord, id: string | null, same: Future | null = null): Future {
    this._stream.adopt(record.request, !same);
    if (same) {
      return same;
    }
    this._adopting = true;
    try {
      const code = (id !== null && this._cells.widget(id)?.model.sharedModel.getSource()) || '';
      return this._made.add(futureOf(this._kernel, record, code, id));
    } finally {
      this._adopting = false;
    }
  }

  /** The widget of the cell that a request fills; undefined if the cell is gone. */
  private _shownIn(request: string): CodeCell | undefined {
    const id = this._cells.cellOf(request);
    return id === undefined ? undefined : this._cells.widget(id);
  }

  /** The widget of a cell, while this future fills it. */
  private _widgetOf(id: string, future: Future): CodeCell | undefined {
    const cell = this._cells.widget(id);
    return cell?.outputArea.future === future ? cell : undefined;
  }

  /** What this tab has run is for this page to save; all else is for whoever ran it. */
  private _change(record: IRecord, change: () => void): void {
    const isMine = this._isMine(record);
    if (isMine && !this._isReplaying) {
      change();
    } else {
      this._unsaved.change(change, isMine);
    }
  }

  private _isMine({ session }: IRecord): boolean {
    return session === this._stream.sessionId || this._tab.has(session);
  }

  private readonly _heard = (_: unknown, { msg, direction }: Kernel.IAnyMessageArgs): void => {
    const { msg_type: type } = msg.header;
    const { msg_id: request = '' } = (msg.parent_header ?? {}) as { msg_id?: string };
    if (direction === 'send') {
      if (type === 'execute_request' && !this._adopting) {
        this._sent(msg as KernelMessage.IExecuteRequestMsg);
      }
    } else if (type === 'execute_reply') {
      this._replied(msg as KernelMessage.IExecuteReplyMsg, request);
    } else if (type === 'execute_input') {
      this._unfinished.runs(request);
    } else if (type === 'input_request') {
      this._question.asked(request);
    }
  };

  private _sent(message: KernelMessage.IExecuteRequestMsg): void {
    const cell = (message.metadata as { cellId?: unknown }).cellId;
    if (typeof cell === 'string' && this._cells.widget(cell)) {
      const request = message.header.msg_id;
      this._known.add(request);
      this._own.sent(request, cell);
      this._tab.add(this._stream.sessionId);
      const source = sourceHash(message.content.code);
      this._sentCode.sent(request, source);
      this._unfinished.began(request, cell);
      this._cells.began(cell, request, message.header.date, source, true);
      this._earlier.forget(cell);
    }
  }

  /** A cell whose kernel died says so. */
  private _replied(reply: KernelMessage.IExecuteReplyMsg, request: string): void {
    // Without a cursor nothing is announced.
    this._own.announced(request);
    const id = this._cells.cellOf(request);
    const cell = this._shownIn(request);
    const future = cell && futureIn(cell.outputArea);
    if (!future || future.msg.header.msg_id !== request) {
      return;
    }
    void future.done.then(
      () => {
        this._unfinished.ended(request, of => this._cells.filledBy(of) === request);
        const output = outputOfDeath(reply);
        if (output) {
          this._showEnd(request, id!, future, output);
        } else if (wasShutDown(reply)) {
          // By whom, the end of the stream tells.
          this._left.push({ request, cell: id!, future, runs: false });
        }
      },
      () => undefined
    );
  }

  /** Cells whose ends the kernel, or its agent, has not said before it was gone: nobody will. */
  private readonly _ended = (): void => {
    for (const one of this._unfinished.take()) {
      const cell = this._cells.widget(one.cell);
      const future = cell && futureIn(cell.outputArea);
      if (future?.msg.header.msg_id === one.request) {
        this._left.push({ ...one, future });
      }
    }
    const reason = this._endReason();
    if (reason !== null) {
      this._showEnds(reason);
    }
  };

  private _showEnds(reason: string): void {
    const isAsked = reason === SHUT_DOWN || reason === REPLACED;
    for (const { cell: id, request, future, runs } of this._left.splice(0)) {
      this._showEnd(request, id, future, runs ? died(reason) : isAsked ? null : notRun());
    }
  }

  private _showEnd(request: string, id: string, future: Future, output: Death | null): void {
    const show = () => {
      const model = this._widgetOf(id, future)?.model;
      if (model) {
        model.executionState = 'idle';
        if (output) {
          model.outputs.add({ ...output });
        }
      }
    };
    if (this._others.has(request)) {
      this._unsaved.change(show);
    } else {
      show();
    }
  }

  private readonly _handled = (_: unknown, message: KernelMessage.IIOPubMessage): void => {
    const handled = handledOf(message, this._stream.journal);
    this._cells.handled(handled, !this._others.has(handled.request));
  };

  /** What the cells held when the page asked. */
  private _asked: Record<string, IHeld | null> = {};
  /** What the agent answered last, and the futures of requests that fill cells since then. */
  private _index: readonly IIndexed[] = [];
  private readonly _futures = new Map<string, Future>();
  private readonly _made = new MadeFutures();
  private readonly _question: OpenQuestion;
  /** The requests that have been announced. */
  private readonly _known = new Set<string>();
  private readonly _own = new OwnRequests();
  private readonly _unfinished = new UnfinishedRequests();
  /** The cells that were not done when the kernel's connection ended. */
  private _left: ILeft[] = [];
  /** The requests that other pages have sent, and save. */
  private readonly _others = new Set<string>();
  private _adopting = false;
  private _isReplaying = true;
  private _isEnded = false;
}
