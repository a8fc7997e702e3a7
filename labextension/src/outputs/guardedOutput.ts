import { IRenderMime, MimeModel } from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { ReadonlyPartialJSONValue } from '@lumino/coreutils';
import { PanelLayout, Widget } from '@lumino/widgets';

import { isMine } from './mine.js';
import { IFramePage, OutputFrame } from './outputFrame.js';

/** The height in pixels of a frame that has not said how high it is. */
const FIRST_PX = 60;

/** How high the frames of outputs were: an output that is drawn again does not jump. */
const heights = new WeakMap<IRenderMime.IMimeModel, number>();

/** With what an output is drawn. */
export interface IOutputTools {
  /** JupyterLab's own renderer of the type. */
  stock(): IRenderMime.IRenderer;
  /** JupyterLab's renderer of plain text. */
  text(): IRenderMime.IRenderer;
  readonly page: IFramePage;
  readonly translator: ITranslator | null;
}

/**
 * Draws an output as JupyterLab does if it is the user's own, else in a frame or as text.
 *
 * Whose it is, is asked each time: JupyterLab draws with the same renderer when a user trusts it.
 */
export class GuardedOutput extends Widget implements IRenderMime.IRenderer {
  constructor(mimeType: string, way: 'framed' | 'text', tools: IOutputTools) {
    super();
    this.addClass('jp-fleet-GuardedOutput');
    this.layout = new PanelLayout();
    this._mimeType = mimeType;
    this._way = way;
    this._tools = tools;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    if (isMine(model)) {
      await this._drawn('stock', () => this._tools.stock()).renderModel(model);
    } else if (this._way === 'framed') {
      this._drawFramed(model);
    } else {
      await this._drawText(model);
    }
  }

  dispose(): void {
    if (!this.isDisposed) {
      this._noteHeight();
      super.dispose();
    }
  }

  private _drawFramed(model: IRenderMime.IMimeModel): void {
    const trans = (this._tools.translator ?? nullTranslator).load('jupyter_fleet');
    const frame = this._drawn('framed', () => {
      const height = heights.get(model) ?? FIRST_PX;
      return new OutputFrame(this._tools.page, height, trans.__('Output'));
    });
    this._framed = [model, frame];
    frame.draw({ mimeType: this._mimeType, data: textOf(model.data[this._mimeType]) });
  }

  private async _drawText(model: IRenderMime.IMimeModel): Promise<void> {
    const trans = (this._tools.translator ?? nullTranslator).load('jupyter_fleet');
    const said = trans.__(
      'Shown as text: %1 is drawn only in a notebook that you ran or trust.',
      this._mimeType
    );
    const text = `${said}\n${textOf(model.data[this._mimeType])}`;
    const shown = new MimeModel({ data: { 'text/plain': text } });
    await this._drawn('text', () => this._tools.text()).renderModel(shown);
  }

  /** What draws in this way; what drew in another one goes. */
  private _drawn<T extends Widget>(way: 'stock' | 'framed' | 'text', make: () => T): T {
    if (this._inner?.way === way) {
      return this._inner.widget as T;
    }
    this._noteHeight();
    this._inner?.widget.dispose();
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
  private readonly _way: 'framed' | 'text';
  private readonly _tools: IOutputTools;
  private _inner: { way: string; widget: Widget } | null = null;
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
