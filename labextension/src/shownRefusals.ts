import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { showErrorMessage } from '@jupyterlab/apputils';
import { ITranslator } from '@jupyterlab/translation';

import { isOfRename } from './contents/failedRenames.js';
import { EndingCanceled } from './kernels/endingKernels.js';
import { inFleet } from './user/pageUser.js';
import { fleetBundle } from './page/fleetBundle.js';
import { Refusal } from './page/refusal.js';

/**
 * Keeps what a user read or chose in a dialog out of the console's uncaught errors, and shows why an open
 * document was not renamed.
 */
export const shownRefusals: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:shown-refusals',
  description: 'Keeps what a user read or chose in a dialog out of the console.',
  autoStart: true,
  optional: [ITranslator],
  activate: (_: JupyterFrontEnd, translator: ITranslator | null) => {
    if (!inFleet()) {
      return;
    }
    // JupyterLab's file browser shows an error and then throws it again, to nobody. Its commands
    // throw what ends them, also where a person has decided so.
    window.addEventListener('unhandledrejection', event => {
      if (event.reason instanceof Refusal || event.reason instanceof EndingCanceled) {
        event.preventDefault();
      } else if (isOfRename(event.reason)) {
        event.preventDefault();
        void showErrorMessage(fleetBundle(translator).__('Rename Error'), event.reason.message);
      }
    });
  }
};
