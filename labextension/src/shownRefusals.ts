import type { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { inFleet } from './pageUser.js';
import { Refusal } from './refusal.js';

/** Keeps refusals that a dialog has shown out of the browser's console. */
export const shownRefusals: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:shown-refusals',
  description: 'Keeps what a person has read in a dialog out of the console.',
  autoStart: true,
  activate: () => {
    if (!inFleet()) {
      return;
    }
    // JupyterLab's file browser shows an error and then throws it again, to nobody.
    window.addEventListener('unhandledrejection', event => {
      if (event.reason instanceof Refusal) {
        event.preventDefault();
      }
    });
  }
};
