import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import { KernelSpecAPI, ServerConnection, SessionAPI } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { backOff } from '../page/backOff.js';
import { inFleet } from '../user/pageUser.js';

/** How long to wait before the server is asked whether it is back: at first, and at most. */
const FIRST_PAUSE_MS = 2_000;
const LONGEST_PAUSE_MS = 30_000;

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
  for (let asked = 0; !dialog.isDisposed; asked += 1) {
    await shown(backOff(asked, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, Math.random()));
    if (dialog.isDisposed) {
      return;
    }
    try {
      // What JupyterLab asks by itself, and whose failure opens the dialog. Its managers' calls do
      // not tell whether they failed.
      await SessionAPI.listRunning(settings);
      await KernelSpecAPI.getSpecs(settings);
    } catch {
      continue;
    }
    dialog.reject();
    return;
  }
}

/** Wait for the given time, and then until the page is visible. */
async function shown(pause: number): Promise<void> {
  await new Promise(resolve => setTimeout(resolve, pause));
  while (document.hidden) {
    await new Promise(resolve =>
      document.addEventListener('visibilitychange', resolve, { once: true })
    );
  }
}
