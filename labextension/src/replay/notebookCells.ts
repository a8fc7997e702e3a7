import { CodeCell, type ICellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';

import type { IHeld, IRecord } from '../stream/record.js';
import { futureIn } from './adoptedRequest.js';
import { HeldInMetadata } from './heldInMetadata.js';
import { HeldOutputs, type IHandled } from './heldOutputs.js';
import { cellsByOrder, isOfCell } from './refills.js';
import { sourceHash } from './sourceHash.js';

/** From this minor version of nbformat 4 on, files name their cells. */
const NAMES_CELLS = 5;

/** The code cells of a notebook, and what their outputs hold of the kernel's journal. */
export class NotebookCells {
  /**
   * @param onRead - Called with each cell that comes from the file, or into which others have put
   * something, and with what its metadata say of it.
   */
  constructor(
    private readonly _panel: NotebookPanel,
    onRead: (cell: ICellModel, held: IHeld | null) => void
  ) {
    this._metadata = new HeldInMetadata(this._outputs, onRead);
  }

  /** How often what the cells hold has changed in a way that is for this page to save. */
  get changes(): number {
    return this._changes;
  }

  /** The widget of a code cell; undefined if there is no such cell. */
  widget(id: string): CodeCell | undefined {
    const known = this._widgets.get(id);
    if (known && !known.isDisposed) {
      return known;
    }
    this._widgets.clear();
    for (const widget of this._panel.content.widgets) {
      if (widget instanceof CodeCell) {
        this._widgets.set(widget.model.id, widget);
      }
    }
    return this._widgets.get(id);
  }

  /**
   * What each cell holds.
   *
   * @param lost - The requests whose cells do not show any more what they held.
   */
  held(lost?: ReadonlySet<string>): Record<string, IHeld | null> {
    this.read();
    const of = (id: string) => {
      const held = this._outputs.of(id);
      return held && lost?.has(held.request) ? null : held;
    };
    return Object.fromEntries([...this._code()].map(({ id }) => [id, of(id)] as const));
  }

  /** Says for each of these requests which cell it belongs to; null if that is not in the notebook. */
  matching(
    records: readonly Pick<IRecord, 'request' | 'cell' | 'source'>[]
  ): (record: Pick<IRecord, 'request' | 'cell'>) => string | null {
    const { model } = this._panel.content;
    if (model && (model.nbformat > 4 || model.nbformatMinor >= NAMES_CELLS)) {
      return ({ cell }) => (cell !== null && this.widget(cell) ? cell : null);
    }
    const cells = [...this._code()]
      // JupyterLab sends nothing of an empty cell.
      .filter(({ sharedModel }) => sharedModel.getSource().trim())
      .map(({ id, sharedModel }) => ({
        id,
        source: sourceHash(sharedModel.getSource()),
        held: this._outputs.of(id)
      }));
    const found = cellsByOrder(records, cells);
    return ({ request }) => found.get(request) ?? null;
  }

  /** Whether a cell is there and shows what a request says; see `isOfCell`. */
  takes(id: string, record: Pick<IRecord, 'request' | 'source'>): boolean {
    const code = this.widget(id)?.model.sharedModel.getSource();
    return code !== undefined && isOfCell(record, code, this._outputs.of(id));
  }

  /**
   * A cell's outputs are those of this request from now on.
   *
   * @param sent - When the request was sent, ISO 8601; null if nobody knows.
   * @param source - The `sourceHash` of what it ran; null if nobody knows.
   * @param isMine - Whether this page saves them.
   */
  began(
    id: string,
    request: string,
    sent: string | null,
    source: string | null,
    isMine: boolean
  ): void {
    const model = this.widget(id)?.model;
    if (model) {
      this._metadata.follow(model);
      this._outputs.began(id, request, sent, source);
      this._changes += isMine ? 1 : 0;
    }
  }

  /** The cell that a request fills. */
  cellOf(request: string): string | undefined {
    return this._outputs.cellOf(request);
  }

  /** The request that fills a cell; null if none does, undefined if the cell is gone. */
  filledBy(id: string): string | null | undefined {
    const cell = this.widget(id);
    return cell && (futureIn(cell.outputArea)?.msg.header.msg_id ?? null);
  }

  /** Note a message that JupyterLab has handled; `isMine`: this page saves what it says. */
  handled(message: IHandled, isMine: boolean): void {
    this._outputs.handled(message, (id, request) => {
      const isFilled = this.filledBy(id) === request;
      this._changes += isFilled && isMine ? 1 : 0;
      return isFilled;
    });
  }

  /** Write into the cells' metadata what they hold. */
  write(): void {
    this.read();
    this._metadata.write(this._code());
  }

  /** Cells that were loaded from the file, now or when it was reverted, hold what it says. */
  read(): void {
    this._metadata.read(this._code());
  }

  private *_code(): Iterable<ICellModel> {
    for (const cell of this._panel.content.model?.cells ?? []) {
      if (cell.type === 'code') {
        yield cell;
      }
    }
  }

  private readonly _outputs = new HeldOutputs();
  private readonly _metadata: HeldInMetadata;
  private readonly _widgets = new Map<string, CodeCell>();
  private _changes = 0;
}
