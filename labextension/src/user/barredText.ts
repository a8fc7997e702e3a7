import type { TranslationBundle } from '@jupyterlab/translation';

import { hasNoAccess, IFleetUser, isViewer, projectOf } from './fleetUser.js';
import { viewOnlyText } from './viewOnlyText.js';

/**
 * Why a user may not run or change an open document, in words for them.
 *
 * @returns null if nothing is known against it: the server decides.
 */
export function barredText(
  user: IFleetUser | null,
  path: string,
  trans: TranslationBundle
): string | null {
  if (isViewer(user, path)) {
    return viewOnlyText(path, trans);
  }
  return hasNoAccess(user, path)
    ? trans.__(
        'You no longer have access to the project "%1": nothing in it can be run or saved. Ask an owner to add you again, then sign in again. Unsaved changes stay in this page; to keep them, save a copy in another project.',
        projectOf(path)
      )
    : null;
}
