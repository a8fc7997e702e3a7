import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICodeCellModel, isCodeCellModel } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { IStreams, type Streams } from '../stream/streams.js';

const TRUST = 'notebook:trust';
const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';

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

/** JupyterLab asks the kernel again for its widgets when it is connected again. */
async function trustComms(panel: NotebookPanel, streams: Streams): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel;
  const comms = kernel && streams.get(kernel.id, kernel.clientId)?.comms;
  if (!kernel || !comms || comms.isTrusted) {
    return;
  }
  comms.isTrusted = true;
  const endTrust = () => {
    if (kernel.status === 'restarting' || kernel.status === 'autorestarting') {
      comms.isTrusted = false;
      kernel.statusChanged.disconnect(endTrust);
    }
  };
  kernel.statusChanged.connect(endTrust);
  const drawAgain = () => {
    comms.toldAll.disconnect(drawAgain);
    drawWidgetsAgain(panel);
  };
  comms.toldAll.connect(drawAgain);
  await kernel.reconnect();
}

/** Outputs that have said "model not found" look once more for the widgets that are there now. */
function drawWidgetsAgain({ content }: NotebookPanel): void {
  for (const { model } of content.widgets) {
    if (isCodeCellModel(model) && model.trusted && showsWidget(model)) {
      model.outputs.trusted = false;
      model.outputs.trusted = true;
    }
  }
}

function showsWidget({ outputs }: ICodeCellModel): boolean {
  return Array.from({ length: outputs.length }, (_, at) => outputs.get(at)).some(
    ({ data }) => WIDGET_VIEW in data
  );
}
