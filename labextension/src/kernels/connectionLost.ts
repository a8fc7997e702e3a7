import {
  ConnectionLost,
  IConnectionLost,
  type JupyterFrontEnd,
  type JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { Dialog } from '@jupyterlab/apputils';
import { KernelSpecAPI, ServerConnection, SessionAPI } from '@jupyterlab/services';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { steadyTime } from '../page/steadyTime.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { pauseUnlessBack, staysAway, untilBack } from './serverAbsence.js';
import { inFleet } from '../user/pageUser.js';

/**
 * Opens JupyterLab's "Server Connection Error" only when no server has answered for 10 s, and closes it
 * when one answers again: labs replace each other within seconds.
 */
export const connectionLost: JupyterFrontEndPlugin<IConnectionLost> = {
  id: 'jupyter-fleet:connection-lost',
  description: 'Says that the connection is lost when it is for long, and until it is back.',
  autoStart: true,
  optional: [IStreams, ITranslator],
  provides: IConnectionLost,
  activate: (app: JupyterFrontEnd, streams: Streams | null, translator: ITranslator | null) => {
    if (!inFleet()) {
      return ConnectionLost;
    }
    const settings = app.serviceManager.serverSettings;
    // JupyterLab gives this dialog no name, and draws its header later than it opens.
    const title = (translator ?? nullTranslator).load('jupyterlab').__('Server Connection Error');
    Dialog.tracker.widgetAdded.connect((_, dialog) => {
      if (dialog.node.ariaLabel?.startsWith(title)) {
        void closeWhenBack(dialog, settings, streams);
      }
    });
    const asking = { ask: () => askServer(settings), now: steadyTime, wait: pause };
    let saying: Promise<void> | null = null;
    const sayWhenAway: IConnectionLost = async (...failure) => {
      if (await staysAway(asking)) {
        await ConnectionLost(...failure);
      }
    };
    // Several polls fail one after the other.
    return (...failure) => (saying ??= sayWhenAway(...failure).finally(() => (saying = null)));
  }
};

async function closeWhenBack(
  dialog: Dialog<unknown>,
  settings: ServerConnection.ISettings,
  streams: Streams | null
): Promise<void> {
  const wait = async (time: number) => {
    await pauseUnlessBack(time, streams);
    await visible();
  };
  const asking = { ask: () => askServer(settings), wait, random: () => Math.random() };
  if (await untilBack(asking, () => dialog.isDisposed)) {
    dialog.reject();
  }
}

/**
 * Ask what JupyterLab asks by itself, and whose failure opens the dialog. Its managers' calls do not
 * tell whether they failed.
 */
async function askServer(settings: ServerConnection.ISettings): Promise<void> {
  await SessionAPI.listRunning(settings);
  await KernelSpecAPI.getSpecs(settings);
}

function pause(time: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, time));
}

/** Wait until the page is visible. */
async function visible(): Promise<void> {
  while (document.hidden) {
    await new Promise(resolve =>
      document.addEventListener('visibilitychange', resolve, { once: true })
    );
  }
}
