import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import type { ServiceManager } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { inFleet } from './pageUser.js';

/** How often the server is asked whether it is back. */
const ASK_MS = 2_000;

/** Closes JupyterLab's "Server Connection Error" when the server answers again. */
export const connectionLost: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:connection-lost',
  description: 'Closes the message about a lost connection when the connection is back.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    if (!inFleet()) {
      return;
    }
    // JupyterLab gives this dialog no name.
    const title = (translator ?? nullTranslator).load('jupyterlab').__('Server Connection Error');
    Dialog.tracker.widgetAdded.connect((_, dialog) => {
      void dialog.ready.then(() => {
        if (dialog.node.querySelector('.jp-Dialog-header')?.textContent === title) {
          void closeWhenBack(dialog, app.serviceManager);
        }
      });
    });
  }
};

async function closeWhenBack(
  dialog: Dialog<unknown>,
  services: ServiceManager.IManager
): Promise<void> {
  while (!dialog.isDisposed) {
    await new Promise(resolve => setTimeout(resolve, ASK_MS));
    try {
      // What JupyterLab asks by itself, and whose failure opened the dialog.
      await Promise.all([services.kernels.refreshRunning(), services.sessions.refreshRunning()]);
    } catch {
      continue;
    }
    dialog.reject();
    return;
  }
}
