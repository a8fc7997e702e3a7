import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import { KernelSpecAPI, ServerConnection, SessionAPI } from '@jupyterlab/services';
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
    // JupyterLab gives this dialog no name, and draws its header later than it opens.
    const title = (translator ?? nullTranslator).load('jupyterlab').__('Server Connection Error');
    Dialog.tracker.widgetAdded.connect((_, dialog) => {
      if (dialog.node.ariaLabel?.startsWith(title)) {
        void closeWhenBack(dialog, app.serviceManager.serverSettings);
      }
    });
  }
};

async function closeWhenBack(
  dialog: Dialog<unknown>,
  settings: ServerConnection.ISettings
): Promise<void> {
  while (!dialog.isDisposed) {
    await new Promise(resolve => setTimeout(resolve, ASK_MS));
    try {
      // What JupyterLab asks by itself, and whose failure opens the dialog. Its managers' calls do
      // not tell whether they failed.
      await Promise.all([SessionAPI.listRunning(settings), KernelSpecAPI.getSpecs(settings)]);
    } catch {
      continue;
    }
    dialog.reject();
    return;
  }
}
