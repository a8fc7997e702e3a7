import { Dialog } from '@jupyterlab/apputils';
import type { OutputArea } from '@jupyterlab/outputarea';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Panel, Widget } from '@lumino/widgets';

import { firstLines } from './firstLines.js';
import type { GoneRequest } from './goneRequest.js';
import { goneLine } from './goneWords.js';

/** A cell that is not in the notebook: its request, and what shows its outputs and questions. */
export interface IGoneCell {
  readonly request: GoneRequest;
  readonly area: OutputArea;
}

/** Shows such cells while they go on, and takes the answers to their questions. */
export class GoneCellsDialog extends Dialog<void> {
  constructor(cells: readonly IGoneCell[], trans: TranslationBundle) {
    const body = new GoneCellsBody(trans);
    body.fill(cells);
    super({
      title: trans.__('Cells That Are Not in This Notebook'),
      body,
      // JupyterLab disables buttons that accept while anything in an output counts as an error.
      buttons: [Dialog.cancelButton({ label: trans.__('Close') })],
      focusNodeSelector: '.jp-Stdin-input'
    });
    this.content = body;
  }

  readonly content: GoneCellsBody;

  /** Enter ends the dialog, but in the box of a question it gives the answer. */
  handleEvent(event: Event): void {
    const isAnswer =
      event instanceof KeyboardEvent &&
      event.key === 'Enter' &&
      event.target instanceof Element &&
      event.target.closest('.jp-Stdin') !== null;
    if (!isAnswer) {
      super.handleEvent(event);
    }
  }
}

/** The areas are lent: they outlive the dialog. */
class GoneCellsBody extends Panel {
  constructor(private readonly _trans: TranslationBundle) {
    super();
    this.addClass('jp-fleet-GoneCells');
  }

  /** Show these from now on, and how far they are. Those that are shown keep the focus. */
  fill(cells: readonly IGoneCell[]): void {
    if (
      cells.length !== this._areas.length ||
      cells.some(({ area }, at) => area !== this._areas[at])
    ) {
      this._clear();
      for (const { request, area } of cells) {
        const line = new Widget();
        const source = new Widget({ node: document.createElement('pre') });
        this._lines.push({ request, line, source });
        [line, source, area].forEach(widget => this.addWidget(widget));
        this._areas.push(area);
      }
    }
    this._say();
  }

  private _say(): void {
    for (const { request, line, source } of this._lines) {
      const { state, count, sent, code } = request;
      const when = sent ? new Date(sent).toLocaleString() : '';
      line.node.textContent = goneLine(state, count, when, this._trans);
      source.node.textContent = firstLines(code);
      source.setHidden(!code);
    }
  }

  dispose(): void {
    this._clear();
    super.dispose();
  }

  private _clear(): void {
    for (const area of this._areas.splice(0)) {
      if (area.parent === this) {
        area.parent = null;
      }
    }
    for (const { line, source } of this._lines.splice(0)) {
      line.dispose();
      source.dispose();
    }
  }

  private readonly _areas: OutputArea[] = [];
  private readonly _lines: {
    readonly request: GoneRequest;
    readonly line: Widget;
    readonly source: Widget;
  }[] = [];
}
