import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { IKernelName } from './whose.js';

/** The user decided not to end the kernel. */
export class EndingCanceled extends Error {
  constructor() {
    super('Canceled: the kernel goes on');
    this.name = 'ModalCancelError';
  }
}

/** Which notebook's kernel, in which project, and whose. */
function startedWords(
  { notebook, project, person }: IKernelName,
  trans: TranslationBundle
): string {
  const whose = person || trans.__('somebody else');
  return notebook
    ? trans.__(
        'The kernel of "%1" in the project "%2" was started by %3.',
        notebook,
        project,
        whose
      )
    : trans.__('This kernel in the project "%1" was started by %2.', project, whose);
}

/** Which notebook's kernel, in which project, and that others would miss it. */
function usedWords({ notebook, project }: IKernelName, trans: TranslationBundle): string {
  return notebook
    ? trans.__(
        'The kernel of "%1" in the project "%2" is open in other pages too, where others may work.',
        notebook,
        project
      )
    : trans.__(
        'This kernel in the project "%1" is open in other pages too, where others may work.',
        project
      );
}

/** Ask whether to end another person's kernel. */
export function askToEnd(name: IKernelName, trans: TranslationBundle): Promise<boolean> {
  const title = name.person
    ? trans.__('Shut Down the Kernel of %1?', name.person)
    : trans.__('Shut Down a Kernel of Somebody Else?');
  return ask(title, startedWords(name, trans), trans.__('Shut Down'), trans);
}

/** Ask whether to end a kernel of one's own that others use. */
export function askToEndUsed(name: IKernelName, trans: TranslationBundle): Promise<boolean> {
  const title = trans.__('Shut Down a Kernel That Others Use?');
  return ask(title, usedWords(name, trans), trans.__('Shut Down'), trans);
}

/** Ask whether to restart another person's kernel. */
export function askToRestart(name: IKernelName, trans: TranslationBundle): Promise<boolean> {
  const title = name.person
    ? trans.__('Restart the Kernel of %1?', name.person)
    : trans.__('Restart a Kernel of Somebody Else?');
  return ask(title, startedWords(name, trans), trans.__('Restart'), trans);
}

async function ask(
  title: string,
  which: string,
  label: string,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = await showDialog({
    title,
    body: `${which} ${trans.__('What it is running ends, and all of its variables are lost.')}`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label })],
    // Enter must not end anybody's work.
    defaultButton: 0
  });
  return button.accept;
}
