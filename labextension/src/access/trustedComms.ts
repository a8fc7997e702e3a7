import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, showDialog } from '@jupyterlab/apputils';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import type { IPeople } from '../outputs/people.js';
import { fleetBundle } from '../page/fleetBundle.js';
import type { KernelStream } from '../stream/kernelStream.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { peopleWords } from './peopleWords.js';
import { showWidgets } from './shownWidgets.js';

const TRUST = 'notebook:trust';

/** Shows the widgets of others in a kernel, once a person trusts the notebook that uses it. */
export const trustedComms: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:trusted-comms',
  description: 'Keeps widgets of others away until a person trusts the notebook.',
  autoStart: true,
  requires: [IStreams, INotebookTracker],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    streams: Streams | null,
    tracker: INotebookTracker,
    translator: ITranslator | null
  ) => {
    if (!streams) {
      return;
    }
    const trans = fleetBundle(translator);
    app.commands.commandExecuted.connect((_, { id, result }) => {
      const panel = tracker.currentWidget;
      if (id === TRUST && panel) {
        void trustComms(panel, streams, result, trans);
      }
    });
  }
};

async function trustComms(
  panel: NotebookPanel,
  streams: Streams,
  command: Promise<unknown>,
  trans: TranslationBundle
): Promise<void> {
  const kernel = panel.sessionContext.session?.kernel;
  const stream = kernel && streams.get(kernel.id, kernel.clientId);
  if (!kernel || !stream) {
    return;
  }
  // Of whoever comes while the question is open, nobody has been told.
  const shown = stream.people.now;
  const wasTrusted = [...panel.content.model!.cells].every(({ trusted }) => trusted);
  const done = (await command) as { trusted?: boolean } | undefined;
  const { comms, people } = stream;
  if (!done?.trusted || comms.isTrusted) {
    return;
  }
  // JupyterLab does not ask where it trusts all cells, and says that they are trusted even on Escape.
  if (wasTrusted && !people.isMine && !(await asked(stream, shown, trans))) {
    return;
  }
  // Widgets of others run scripts from now on, and so may what they have prepared.
  people.trust(shown);
  if (!people.isMine) {
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
  await showWidgets(panel, kernel, comms);
}

/** Whether the user trusts these people in the kernel of a notebook that is trusted itself. */
async function asked(
  { people }: KernelStream,
  shown: IPeople,
  trans: TranslationBundle
): Promise<boolean> {
  const { button } = await showDialog({
    title: trans.__('Trust the people in this kernel?'),
    body: peopleWords(shown, people.me, trans),
    buttons: [
      Dialog.cancelButton(),
      Dialog.warnButton({ label: trans.__('Trust Them Until It Restarts') })
    ],
    defaultButton: 0
  });
  return button.accept;
}
