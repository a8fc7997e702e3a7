import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { Choice, IConflict } from './conflict.js';

/** The sentences of the dialog: who saved what and when, and what the buttons do. */
function describe(
  path: string,
  conflict: IConflict,
  canRevert: boolean,
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
  const told = trans.__(
    '"%1" was saved by %2 at %3, after this page opened or last saved it. Your changes are not saved.',
    path,
    conflict.saved_by ?? trans.__('someone else'),
    when
  );
  const overwrite = trans.__(
    'Overwrite replaces that version with yours; "Revert to Checkpoint" in the File menu can bring it back.'
  );
  const revert = trans.__('Revert drops your changes and loads that version.');
  return canRevert ? `${told} ${revert} ${overwrite}` : `${told} ${overwrite}`;
}

/** Ask the user what to do about a rejected save. */
export async function askAboutConflict(
  path: string,
  conflict: IConflict,
  canRevert: boolean,
  trans: TranslationBundle
): Promise<Choice> {
  const buttons = [
    Dialog.cancelButton(),
    ...(canRevert && conflict.version !== null
      ? [
          Dialog.okButton({
            label: trans.__('Revert'),
            actions: ['revert']
          })
        ]
      : []),
    Dialog.warnButton({
      label: conflict.version === null ? trans.__('Create Again') : trans.__('Overwrite'),
      actions: ['overwrite']
    })
  ];
  const { button } = await showDialog({
    title: trans.__('File Changed'),
    body: describe(path, conflict, canRevert, trans),
    buttons,
    // Enter must not throw away anybody's work.
    defaultButton: 0
  });
  if (button.actions.includes('overwrite')) {
    return 'overwrite';
  }
  return button.actions.includes('revert') ? 'revert' : 'cancel';
}
