import type { TranslationBundle } from '@jupyterlab/translation';

import type { IConflict } from './conflict.js';

/**
 * The sentences of the dialog about a conflict: who saved what and when, and what the buttons do.
 *
 * @param me - The user of this page; null if the server has not told.
 */
export function conflictWords(
  path: string,
  conflict: IConflict,
  canRevert: boolean,
  me: string | null,
  trans: TranslationBundle
): string {
  if (conflict.version === null) {
    return trans.__(
      '"%1" was deleted or moved after this page opened it. Your changes are not saved. If it was moved, open it where it is now and copy your changes into it. "Create Again" makes a second file here from this page.',
      path
    );
  }
  const when = conflict.last_modified
    ? new Date(conflict.last_modified).toLocaleString()
    : trans.__('an unknown time');
  const by = conflict.saved_by;
  const told =
    by !== null && by === me
      ? trans.__(
          'You saved "%1" elsewhere, for example in another tab, at %2, after this page opened or last saved it. Your changes in this page are not saved.',
          path,
          when
        )
      : trans.__(
          '"%1" was saved by %2 at %3, after this page opened or last saved it. Your changes are not saved.',
          path,
          by ?? trans.__('someone else'),
          when
        );
  const overwrite = trans.__(
    'Overwrite replaces that version with yours; "Revert to Checkpoint" in the File menu can bring it back.'
  );
  const revert = trans.__('Revert drops your changes and loads that version.');
  return canRevert ? `${told} ${revert} ${overwrite}` : `${told} ${overwrite}`;
}
