import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import { pageUser } from '../user/pageUser.js';
import type { Choice, IConflict } from './conflict.js';
import { conflictWords } from './conflictWords.js';

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
    body: conflictWords(path, conflict, canRevert, pageUser()?.username ?? null, trans),
    buttons,
    // Enter must not throw away anybody's work.
    defaultButton: 0
  });
  if (button.actions.includes('overwrite')) {
    return 'overwrite';
  }
  return button.actions.includes('revert') ? 'revert' : 'cancel';
}
