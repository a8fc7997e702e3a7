import { Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { projectOf } from './fleetUser.js';

/** What a viewer reads at a path of a project. */
export function viewOnlyText(path: string, trans: TranslationBundle): string {
  return trans.__(
    'You may look but not run: you are a viewer of the project "%1".',
    projectOf(path)
  );
}

let shown = '';

/** Tell a viewer who tried to run something that they may look only. */
export function tellViewOnly(path: string, trans: TranslationBundle): void {
  // However often somebody tries, one notification is enough.
  if (shown) {
    Notification.dismiss(shown);
  }
  shown = Notification.warning(viewOnlyText(path, trans), { autoClose: 6000 });
}
