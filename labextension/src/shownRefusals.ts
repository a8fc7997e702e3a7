import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { EndingCanceled } from './kernels/endingKernels.js';
import { inFleet } from './user/pageUser.js';
import { Refusal } from './page/refusal.js';

/** Keeps what a user read or chose in a dialog out of the console's uncaught errors. */
export const shownRefusals: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:shown-refusals',
  description: 'Keeps what a user read or chose in a dialog out of the console.',
  autoStart: true,
  activate: () => {
    if (!inFleet()) {
      return;
    }
    // JupyterLab's file browser shows an error and then throws it again, to nobody. Its commands
    // throw what ends them, also where a person has decided so.
    window.addEventListener('unhandledrejection', event => {
      if (event.reason instanceof Refusal || event.reason instanceof EndingCanceled) {
        event.preventDefault();
      }
    });
  }
};
