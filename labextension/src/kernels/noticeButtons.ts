import type { TranslationBundle } from '@jupyterlab/translation';

import type { KernelAction } from '../launches/noticeOfKernel.js';
import type { INoticeAction } from '../page/actionNotice.js';

/**
 * The buttons of a notice, without those that do nothing.
 *
 * @param acts - What each does.
 */
export function buttonsOf(
  actions: readonly KernelAction[],
  acts: Record<KernelAction, (() => void) | null>,
  trans: TranslationBundle
): INoticeAction[] {
  return actions.flatMap(action => {
    const execute = acts[action];
    return execute ? [{ ...looksOf(action, trans), execute }] : [];
  });
}

function looksOf(action: KernelAction, trans: TranslationBundle): Omit<INoticeAction, 'execute'> {
  switch (action) {
    case 'cancel':
      return { label: trans.__('Cancel'), caption: trans.__('Do not start this kernel') };
    case 'restart':
      return {
        label: trans.__('Restart'),
        caption: trans.__('Restart the kernel'),
        warns: true
      };
    case 'shutDown':
      return {
        label: trans.__('Shut Down'),
        caption: trans.__('Shut down the kernel'),
        warns: true
      };
    case 'startAgain':
      return {
        label: trans.__('Start Again'),
        caption: trans.__('Start the kernel again, with the same options')
      };
    case 'startWith':
      return {
        label: trans.__('Start With…'),
        caption: trans.__('Start a kernel with other options')
      };
    case 'signIn':
      return { label: trans.__('Sign In') };
    case 'retry':
      return { label: trans.__('Try Now'), caption: trans.__('Connect to the kernel now') };
  }
}
