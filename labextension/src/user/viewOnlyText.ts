import type { TranslationBundle } from '@jupyterlab/translation';

import { projectOf } from './fleetUser.js';

/** The message for a viewer at a path of a project. */
export function viewOnlyText(path: string, trans: TranslationBundle): string {
  return trans.__(
    'You can look at files but not run or change them: you are a viewer of the project "%1". Ask an owner to make you an editor.',
    projectOf(path)
  );
}
