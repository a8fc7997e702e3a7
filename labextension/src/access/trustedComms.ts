import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { IStreams, type Streams } from '../stream/streams.js';
import { showWidgets } from './shownWidgets.js';

const TRUST = 'notebook:trust';

/** Shows the widgets of others in a kernel, once a person trusts the notebook that uses it. */
export const trustedComms: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:trusted-comms',
  description: 'Keeps widgets of others away until a person trusts the notebook.',
  autoStart: true,
  requires: [IStreams, INotebookTracker],
  activate: (app: JupyterFrontEnd, streams: Streams | null, tracker: INotebookTracker) => {
    if (!streams) {
      return;
    }
    app.commands.commandExecuted.connect((_, { id, result }) => {
      const panel = tracker.currentWidget;
      if (id === TRUST && panel) {
        void result.then(done => {
          if ((done as { trusted?: boolean } | undefined)?.trusted) {
            return trustComms(panel, streams);
          }
        });
      }
    });
  }
};

async function trustComms(panel: NotebookPanel, streams: Streams): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel;
  const stream = kernel && streams.get(kernel.id, kernel.clientId);
  if (!kernel || !stream || stream.comms.isTrusted) {
    return;
  }
  const { comms, people } = stream;
  comms.isTrusted = true;
  // Their widgets run scripts now, and so may what they have prepared.
  people.trust();
  const endTrust = () => {
    if (kernel.status === 'restarting' || kernel.status === 'autorestarting') {
      comms.isTrusted = false;
      kernel.statusChanged.disconnect(endTrust);
    }
  };
  kernel.statusChanged.connect(endTrust);
  await showWidgets(panel, kernel, comms);
}
