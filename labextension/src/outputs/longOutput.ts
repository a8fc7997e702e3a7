import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import {
  errorRendererFactory,
  IRenderMime,
  IRenderMimeRegistry,
  renderError,
  RenderedCommon,
  renderText,
  textRendererFactory
} from '@jupyterlab/rendermime';

import { excerpt, IExcerpt } from './excerpt.js';
import { inFleet } from '../user/pageUser.js';

export const longOutput: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:long-output',
  description: 'Shows the start and the end of a long text, and the rest on demand.',
  autoStart: true,
  requires: [IRenderMimeRegistry],
  activate: (_: JupyterFrontEnd, registry: IRenderMimeRegistry) => {
    if (!inFleet()) {
      return;
    }
    for (const stock of [textRendererFactory, errorRendererFactory]) {
      const render = stock === textRendererFactory ? renderText : renderError;
      registry.addFactory({
        ...stock,
        createRenderer: options => new LongText(options, render)
      });
    }
  }
};

type Render = (options: renderError.IRenderOptions) => Promise<void>;

/**
 * Text of any length, rendered as in JupyterLab but no more than a browser can lay out.
 *
 * While a text grows at its end only the end is drawn again.
 */
class LongText extends RenderedCommon {
  constructor(options: IRenderMime.IRendererOptions, render: Render) {
    super(options);
    this.addClass('jp-RenderedText');
    this._render = render;
  }

  async renderModel(model: IRenderMime.IMimeModel): Promise<void> {
    await super.renderModel(model, true);
  }

  async render(model: IRenderMime.IMimeModel): Promise<void> {
    // eslint-disable-next-line @typescript-eslint/no-base-to-string -- as JupyterLab's renderer does
    await this._show(String(model.data[this.mimeType]));
  }

  private async _show(text: string): Promise<void> {
    const part = excerpt(text, this._more);
    if (part.characters === 0) {
      this._headText = null;
      this.node.replaceChildren();
      await this._draw(this.node, text);
      return;
    }
    if (this._headText === null) {
      this.node.replaceChildren(this._head, this._gap, this._tail);
    }
    if (this._headText !== part.head) {
      this._headText = part.head;
      this._head.replaceChildren();
      await this._draw(this._head, part.head);
    }
    const focused = this._gap.contains(document.activeElement);
    const button = this._button(text, part);
    this._gap.replaceChildren(button);
    if (focused) {
      button.focus();
    }
    this._tail.replaceChildren();
    await this._draw(this._tail, part.tail);
  }

  private _draw(host: HTMLElement, source: string): Promise<void> {
    return this._render({
      host,
      source,
      sanitizer: this.sanitizer,
      resolver: this.resolver,
      linkHandler: this.linkHandler,
      translator: this.translator
    });
  }

  /** What is not shown, and the way to see more of it. */
  private _button(text: string, part: IExcerpt): HTMLElement {
    const trans = this.translator.load('jupyter_fleet');
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'jp-TrimmedOutputs-button';
    button.textContent =
      part.lines > 1
        ? trans.__('… %1 lines not shown. Show more', part.lines.toLocaleString())
        : trans.__('… %1 characters not shown. Show more', part.characters.toLocaleString());
    button.onclick = () => {
      this._more += 1;
      void this._show(text);
    };
    return button;
  }

  private readonly _render: Render;
  private readonly _head = document.createElement('div');
  private readonly _gap = document.createElement('div');
  private readonly _tail = document.createElement('div');
  /** What is drawn in `_head`; null while the text is drawn whole. */
  private _headText: string | null = null;
  private _more = 0;
}
