import { IRenderMime, MimeModel, OutputModel } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { PanelLayout, Widget } from '@lumino/widgets';

import { pageUser } from '../user/pageUser.js';
import { FoldedText } from './foldedText.js';
import { framedContent } from './framedContent.js';
import { isMine } from './mine.js';
import { IFramePage, OutputFrame } from './outputFrame.js';
import { needsOthers, wayToDraw } from './outputTypes.js';
import { preparedOutputBy } from './preparedOutputs.js';
import { apartReason, failedReason, textReason } from './textReason.js';

const PLAIN = 'text/plain';

/** How high the frames of outputs were: an output that is drawn again does not jump. */
const heights = new WeakMap<IRenderMime.IMimeModel, number>();

/** With what an output is drawn. */
export interface IOutputTools {
  /** JupyterLab's own renderer of a type. */
  stock(mimeType: string): IRenderMime.IRenderer;
  /** The type in which data are drawn that are not the user's own; undefined if there is none. */
  typeOf(data: object): string | undefined;
  readonly page: IFramePage;
  readonly translator: ITranslator | null;
}

/**
 * Draws an output as JupyterLab does if it is the user's own, else in a frame or as text.
 *
 * It looks each time whose output it is, because JupyterLab draws with the same renderer again when a
 * user trusts it. Users can trust outputs of cells only.
 */
export class GuardedOutput extends Widget implements IRenderMime.IRenderer {
  constructor(mimeType: string, tools: IOutputTools) {
    super();
    this.addClass('jp-fleet-GuardedOutput');
    this.layout = new PanelLayout();
    this._mimeType = mimeType;
    this._tools = tools;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    if (model instanceof OutputModel && isMine(model)) {
      await this._drawStock(this._mimeType, model);
      return;
    }
    // Code that trusts everything, as the debugger does with variables, asks for the richest type.
    const mimeType = this._tools.typeOf(model.data) ?? this._mimeType;
    const way = wayToDraw(mimeType);
    if (way === 'framed') {
      this._drawFramed(mimeType, model);
      if (needsOthers(model.data)) {
        await this._explainFrame(model, apartReason);
      }
    } else if (way === 'shown') {
      const { data, metadata } = model;
      await this._drawStock(mimeType, new MimeModel({ data, metadata }));
    } else {
      await this._drawText(mimeType, model);
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._noteHeight();
      super.dispose();
    }
  }

  private _drawStock(mimeType: string, model: IRenderMime.IMimeModel): Promise<void> {
    return this._drawn(mimeType, () => this._tools.stock(mimeType)).renderModel(model);
  }

  private _drawFramed(mimeType: string, model: IRenderMime.IMimeModel): void {
    const trans = (this._tools.translator ?? nullTranslator).load('jupyter_fleet');
    const output = { mimeType, data: textOf(model.data[mimeType]) };
    const { text, height } = framedContent(output);
    const frame = this._drawn(
      'framed',
      () =>
        new OutputFrame(this._tools.page, heights.get(model) ?? height, trans.__('Output'), what =>
          this._failed(what)
        )
    );
    this._framed = [model, frame];
    frame.draw(output, text);
  }

  /** Only a cell's outputs are drawn otherwise once a user trusts them. */
  private _failed(what: string): void {
    const model = this._framed?.[0];
    if (model instanceof OutputModel && !needsOthers(model.data)) {
      void this._explainFrame(model, (...of) => failedReason(what, ...of));
    }
  }

  /** Say below a frame why what is drawn in it does not work. */
  private async _explainFrame(
    model: IRenderMime.IMimeModel,
    reason: typeof apartReason
  ): Promise<void> {
    const frame = this._inner?.widget;
    // Who prepared it is noted just after it is drawn, as below.
    await Promise.resolve();
    if (this._inner?.widget !== frame || this.isDisposed) {
      return;
    }
    const trans = (this._tools.translator ?? nullTranslator).load('jupyter_fleet');
    const people = preparedOutputBy(model)?.people ?? null;
    this._note ??= new Widget();
    this._note.addClass('jp-fleet-OutputNote');
    this._note.node.textContent = reason(people, pageUser()?.username ?? null, trans);
    (this.layout as PanelLayout).addWidget(this._note);
  }

  private async _drawText(mimeType: string, model: IRenderMime.IMimeModel): Promise<void> {
    const trans = (this._tools.translator ?? nullTranslator).load('jupyter_fleet');
    const text = textOf(model.data[mimeType]);
    const folded = this._drawn('text', () => new FoldedText(this._tools.stock(PLAIN)));
    // JupyterLab draws an output while its cell gets it: who prepared it is noted just after that.
    await Promise.resolve();
    if (folded.isDisposed) {
      return;
    }
    if (!(model instanceof OutputModel)) {
      folded.unfold();
    }
    const people = preparedOutputBy(model)?.people ?? null;
    await folded.present(
      textReason(mimeType, people, pageUser()?.username ?? null, trans),
      trans.__('%1, %2 kB', mimeType, Math.ceil(text.length / 1000).toLocaleString()),
      text
    );
  }

  /** What draws in this way, a type or `framed`; what drew in another one goes. */
  private _drawn<T extends Widget>(way: string, make: () => T): T {
    if (this._inner?.way === way) {
      return this._inner.widget as T;
    }
    this._noteHeight();
    this._inner?.widget.dispose();
    this._note?.dispose();
    this._note = null;
    const widget = make();
    this._inner = { way, widget };
    (this.layout as PanelLayout).addWidget(widget);
    return widget;
  }

  private _noteHeight(): void {
    if (this._framed) {
      const [model, frame] = this._framed;
      heights.set(model, frame.height);
      this._framed = null;
    }
  }

  private readonly _mimeType: string;
  private readonly _tools: IOutputTools;
  private _inner: { way: string; widget: Widget } | null = null;
  /** Below the frame. */
  private _note: Widget | null = null;
  private _framed: [IRenderMime.IMimeModel, OutputFrame] | null = null;
}

/** Data as text: notebooks have text in lines, and data that are no text. */
function textOf(data: ReadonlyPartialJSONValue | undefined): string {
  if (typeof data === 'string') {
    return data;
  }
  const isLines = Array.isArray(data) && data.every(line => typeof line === 'string');
  return isLines ? data.join('') : JSON.stringify(data ?? null, null, 2);
}
