import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { viewOnlyText } from './viewOnlyText.js';

let shown = '';

/** Tell a viewer why a command to run or save does nothing. */
export function tellViewOnly(path: string, trans: TranslationBundle): void {
  // However often somebody tries, one notification is enough.
  if (shown) {
    Notification.dismiss(shown);
  }
  shown = Notification.warning(viewOnlyText(path, trans), { autoClose: 6000 });
}
