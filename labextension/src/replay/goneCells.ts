import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { OutputArea, OutputAreaModel } from '@jupyterlab/outputarea';
import { KernelMessage } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

import { ActionNotice } from '../page/actionNotice.js';
import type { IRecord } from '../stream/record.js';
import type { Future } from './adoptedRequest.js';
import { firstLines } from './firstLines.js';
import { isNewsOfGone } from './refills.js';

interface IGone {
  readonly record: IRecord;
  readonly area: OutputArea;
  /** What was run, as the kernel has said it again; empty if it has not, or the journal has lost it. */
  code: string;
}

/** Keeps what was said to cells that are not in the notebook any more, and shows it on demand. */
export class GoneCells {
  constructor(
    private readonly _panel: NotebookPanel,
    private readonly _trans: TranslationBundle
  ) {
    this._notice = new ActionNotice(_trans.__('Close'));
    _panel.contentHeader.addWidget(this._notice);
  }

  /**
   * Keep the outputs of a request whose cell is gone, if they are news.
   *
   * @param newest - What the cells of the notebook hold; see `newestHeld`.
   * @param adopt - Makes the future of the request.
   */
  add(record: IRecord, newest: number, adopt: () => Future): void {
    if (!isNewsOfGone(record, newest)) {
      return;
    }
    // After a gap in the journal all is said again. JupyterLab knows a future by its request.
    this._gone.get(record.request)?.area.dispose();
    const area = new OutputArea({
      model: new OutputAreaModel({ trusted: false }),
      rendermime: this._panel.content.rendermime
    });
    const gone: IGone = { record, area, code: '' };
    const future = adopt();
    future.registerMessageHook(message => {
      if (KernelMessage.isExecuteInputMsg(message)) {
        gone.code = message.content.code;
      }
      return true;
    });
    area.future = future;
    this._gone.set(record.request, gone);
  }

  /** Everything that was to be added is there: say so if there is something to show. */
  tell(): void {
    const count = this._shown().length;
    if (!count) {
      return;
    }
    this._notice.present(
      {
        text: this._trans._n(
          'The kernel ran a cell that is not in this notebook.',
          'The kernel ran %1 cells that are not in this notebook.',
          count
        ),
        urgent: false,
        closable: true,
        actions: [{ label: this._trans.__('Show Output'), execute: () => void this._show() }]
      },
      () => this._notice.hide()
    );
  }

  /** The kernel is another one. */
  clear(): void {
    this._notice.hide();
    for (const { area } of this._gone.values()) {
      area.dispose();
    }
    this._gone.clear();
  }

  private _shown(): IGone[] {
    return [...this._gone.values()].filter(({ area }) => area.model.length > 0);
  }

  private async _show(): Promise<void> {
    const body = new Panel();
    body.addClass('jp-fleet-GoneCells');
    for (const { record, area, code } of this._shown()) {
      const { model, rendermime } = area;
      const when = record.sent ? new Date(record.sent).toLocaleString() : '';
      const line = new Widget();
      line.node.textContent = `[${record.count ?? ' '}] ${when}`;
      body.addWidget(line);
      if (code) {
        const source = new Widget({ node: document.createElement('pre') });
        source.node.textContent = firstLines(code);
        body.addWidget(source);
      }
      body.addWidget(new OutputArea({ model, rendermime }));
    }
    await showDialog({
      title: this._trans.__('Cells That Are Not in This Notebook'),
      body,
      buttons: [Dialog.okButton({ label: this._trans.__('Close') })]
    });
  }

  private readonly _gone = new Map<string, IGone>();
  private readonly _notice: ActionNotice;
}
