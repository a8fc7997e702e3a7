import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';

import { barredText } from '../user/barredText.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { Notice } from '../page/notice.js';
import { inFleet, pageUser, rolesChanged } from '../user/pageUser.js';

/** A notebook that its reader may not run says why, and asks for no kernel. */
export const viewOnly: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:view-only',
  description: 'Tells viewers, and whoever has lost a project, why they cannot run a notebook.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    if (!inFleet() || pageUser() === null) {
      return;
    }
    const trans = fleetBundle(translator);
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: DocumentRegistry.Context) => {
        const notice = new Notice('info');
        notice.hide();
        panel.contentHeader.addWidget(notice);
        // What the notebook asks for when its reader may run it; null while they may.
        let asked: ISessionContext.IKernelPreference | null = null;
        const follow = () => {
          const { sessionContext } = context;
          const refusal = barredText(pageUser(), context.path, trans);
          const barred = refusal !== null;
          if (barred) {
            notice.say(refusal);
          } else {
            notice.hide();
          }
          if (barred === (asked !== null)) {
            return;
          }
          const { shouldStart, canStart, shouldReuse } = asked ?? NO_KERNEL;
          asked = barred ? sessionContext.kernelPreference : null;
          sessionContext.kernelPreference = {
            ...sessionContext.kernelPreference,
            shouldStart,
            canStart,
            shouldReuse
          };
          if (!barred) {
            // It was put off until now. If no kernel comes of it, a cell that is run asks.
            void sessionContext.initialize().catch(() => undefined);
          }
        };
        follow();
        rolesChanged.connect(follow);
        context.pathChanged.connect(follow);
        panel.disposed.connect(() => {
          rolesChanged.disconnect(follow);
          context.pathChanged.disconnect(follow);
        });
      }
    });
  }
};

/** Not the kernel that others run either: its messages are for those who may send to it. */
const NO_KERNEL: ISessionContext.IKernelPreference = {
  shouldStart: false,
  canStart: false,
  shouldReuse: false
};
