import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { viewOnlyText } from './viewOnlyText.js';

let shown = '';

/** Tell a viewer who tried to run or save something why nothing happens. */
export function tellViewOnly(path: string, trans: TranslationBundle): void {
  // However often somebody tries, one notification is enough.
  if (shown) {
    Notification.dismiss(shown);
  }
  shown = Notification.warning(viewOnlyText(path, trans), { autoClose: 6000 });
}
