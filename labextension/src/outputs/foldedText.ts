import { type IRenderMime, MimeModel } from '@jupyterlab/rendermime';
import { PanelLayout, Widget } from '@lumino/widgets';

const PLAIN = 'text/plain';

/** A line, and below it a text that a person unfolds. */
export class FoldedText extends Widget {
  /** @param renderer - Draws the text. */
  constructor(private readonly _renderer: IRenderMime.IRenderer) {
    super();
    this.addClass('jp-fleet-FoldedText');
    const folded = new Widget({ node: this._details });
    folded.layout = new PanelLayout();
    (folded.layout as PanelLayout).addWidget(_renderer);
    this.layout = new PanelLayout();
    (this.layout as PanelLayout).addWidget(folded);
    // After the layouts, which put their first widget before everything else.
    folded.node.prepend(this._summary);
    this.node.prepend(this._line);
  }

  present(line: string, summary: string, text: string): Promise<void> {
    this._line.textContent = line;
    this._summary.textContent = summary;
    return this._renderer.renderModel(new MimeModel({ data: { [PLAIN]: text } }));
  }

  /** For a user who has opened it to read the text. */
  unfold(): void {
    this._details.open = true;
  }

  private readonly _details = document.createElement('details');
  private readonly _line = document.createElement('div');
  private readonly _summary = document.createElement('summary');
}
