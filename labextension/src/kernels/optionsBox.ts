import { Dialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { StartOptions } from './startOptions.js';

/**
 * A box in the dialog in which a kernel is chosen: whether to choose its options as well.
 *
 * JupyterLab makes that dialog by itself, so this adds the box to the next dialog that opens, until
 * `stop` is called.
 */
export class OptionsBox {
  constructor(options: StartOptions, trans: TranslationBundle) {
    this._options = options;
    this._label.className = 'jp-fleet-OptionsBox';
    this._box.type = 'checkbox';
    this._label.append(this._box, trans.__('Choose its options before it starts'));
    Dialog.tracker.widgetAdded.connect(this._add);
  }

  get isChecked(): boolean {
    return this._box.checked && !this._label.hidden;
  }

  stop(): void {
    Dialog.tracker.widgetAdded.disconnect(this._add);
  }

  private readonly _add = (_: unknown, dialog: Dialog<unknown>) => {
    this.stop();
    const body = dialog.node.querySelector('.jp-Dialog-body');
    const select = body?.querySelector('select');
    if (!body || !select) {
      return;
    }
    const update = () => {
      const kernel = JSON.parse(select.value) as { name?: string; id?: string } | null;
      this._label.hidden = !kernel || !!kernel.id || !this._options.has(kernel.name);
    };
    select.addEventListener('change', update);
    update();
    body.append(this._label);
  };

  private readonly _options: StartOptions;
  private readonly _label = document.createElement('label');
  private readonly _box = document.createElement('input');
}
