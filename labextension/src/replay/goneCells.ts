import type { NotebookPanel } from '@jupyterlab/notebook';
import { OutputArea, OutputAreaModel } from '@jupyterlab/outputarea';
import type { TranslationBundle } from '@jupyterlab/translation';

import { ActionNotice } from '../page/actionNotice.js';
import type { IRecord } from '../stream/record.js';
import type { Future, IAsking } from './adoptedRequest.js';
import { GoneCellsDialog, type IGoneCell } from './goneCellsDialog.js';
import { GoneRequest } from './goneRequest.js';
import { isTold } from './goneState.js';
import { goneAction, goneNotice } from './goneWords.js';
import { isNewsOfGone } from './refills.js';

interface IKept extends IGoneCell {
  readonly record: IRecord;
  /** See `isTold`. */
  readonly isLive: boolean;
  /** Whether it, or what its cell ran before, was told of when it was added. */
  readonly wasTold: boolean;
}

/**
 * Keeps what was said to cells that are not in the notebook, or have other code there, and shows it on
 * demand. Of each cell that is the latest request, as everywhere.
 */
export class GoneCells {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _trans: TranslationBundle
  ) {
    this._notice = new ActionNotice(_trans.__('Close'));
    _panel.contentHeader.addWidget(this._notice);
  }

  /**
   * Keep the outputs and questions of a request whose cell is gone, if they are news.
   *
   * @param newest - What the cells of the notebook hold; see `newestHeld`.
   * @param adopt - Makes the future of the request.
   * @param isLive - See `isTold`.
   */
  add(asking: IAsking, newest: number, adopt: () => Future, isLive = false): void {
    const { record } = asking;
    if (!isNewsOfGone(record, newest)) {
      return;
    }
    // After a gap in the journal all is said again. JupyterLab knows a future by its request.
    const before = [...this._gone.values()].filter(
      ({ record: { request, cell } }) =>
        request === record.request || (cell !== null && cell === record.cell)
    );
    const wasTold = before.some(isToldOf);
    before.forEach(one => this._drop(one));
    const area = new OutputArea({
      model: new OutputAreaModel({ trusted: false }),
      rendermime: this._panel.content.rendermime
    });
    const future = adopt();
    area.future = future;
    const request = new GoneRequest(asking, future, isQuestion => {
      if (this._gone.get(record.request)?.request === request) {
        this._update(isQuestion);
      }
    });
    area.outputLengthChanged.connect((_, length) => {
      if (length <= 1) {
        this._update();
      }
    });
    this._gone.set(record.request, { record, request, area, wasTold, isLive });
    this._update();
  }

  /** Forget those whose cells the notebook has now, and say which requests these are. */
  take(isThere: (record: IRecord) => boolean): string[] {
    const found = [...this._gone.values()].filter(({ record }) => isThere(record));
    found.forEach(one => this._drop(one));
    if (found.length) {
      this._update();
    }
    return found.map(({ record }) => record.request);
  }

  /** The cell of a request is in the notebook, and shows the outputs itself. */
  forget(request: string): void {
    this.take(record => record.request === request);
  }

  private _drop({ record, area }: IKept): void {
    this._gone.delete(record.request);
    area.dispose();
  }

  /**
   * A request has gone on.
   *
   * @returns what shows it here; undefined if nothing does.
   */
  announced(record: IRecord): OutputArea | undefined {
    const gone = this._gone.get(record.request);
    gone?.request.announced(record);
    return gone?.area;
  }

  /** Everything that was to be added is there: say so if there is something to show. */
  tell(): void {
    this._isComplete = true;
    this._update();
  }

  /** The kernel is another one. */
  clear(): void {
    this._isComplete = false;
    this._isClosed = false;
    this._notice.hide();
    this._dialog?.reject();
    for (const { area } of this._gone.values()) {
      area.dispose();
    }
    this._gone.clear();
  }

  /** Those that there is something to tell of. */
  private _told(): IGoneCell[] {
    return [...this._gone.values()].filter(isToldOf);
  }

  /** @param isQuestion - Whether there is one more question: who has closed the notice sees it again. */
  private _update(isQuestion = false): void {
    this._dialog?.content.fill(this._told());
    this._isClosed &&= !isQuestion;
    if (!this._isComplete || this._isClosed) {
      return;
    }
    const states = this._told().map(({ request }) => request.state);
    if (!states.length) {
      this._notice.hide();
      return;
    }
    this._notice.present(
      {
        text: goneNotice(states, this._trans),
        urgent: false,
        closable: true,
        actions: [{ label: goneAction(states, this._trans), execute: () => void this._show() }]
      },
      () => {
        this._isClosed = true;
        this._notice.hide();
      }
    );
  }

  private async _show(): Promise<void> {
    const dialog = (this._dialog = new GoneCellsDialog(this._told(), this._trans));
    await dialog.launch();
    if (this._dialog === dialog) {
      this._dialog = null;
    }
  }

  private readonly _gone = new Map<string, IKept>();
  private readonly _notice: ActionNotice;
  private _isComplete = false;
  /** Whether a person has closed the notice. */
  private _isClosed = false;
  private _dialog: GoneCellsDialog | null = null;
}

function isToldOf({ request, area, wasTold, isLive }: IKept): boolean {
  return wasTold || isTold(request.state, area.model.length, isLive);
}
