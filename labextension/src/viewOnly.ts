import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { isViewer } from './fleetUser.js';
import { Notice } from './notice.js';
import { inFleet, pageUser } from './pageUser.js';
import { viewOnlyText } from './viewOnlyNotice.js';

/** A viewer's notebook says that it cannot be run, and asks for no kernel. */
export const viewOnly: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:view-only',
  description: 'Tells viewers of a project that they may look but not run.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    const user = pageUser();
    if (!inFleet() || user === null) {
      return;
    }
    const trans = (translator ?? nullTranslator).load('jupyter_fleet');
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: DocumentRegistry.Context) => {
        if (!isViewer(user, context.path)) {
          return;
        }
        const { sessionContext } = context;
        // Not the kernel that others run either: its messages are for those who may send to it.
        sessionContext.kernelPreference = {
          ...sessionContext.kernelPreference,
          shouldStart: false,
          canStart: false,
          shouldReuse: false
        };
        const notice = new Notice('info');
        notice.say(viewOnlyText(context.path, trans));
        panel.contentHeader.addWidget(notice);
      }
    });
  }
};
