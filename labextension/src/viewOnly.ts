import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator } from '@jupyterlab/translation';

import { fleetBundle } from './fleetBundle.js';
import { isViewer } from './fleetUser.js';
import { Notice } from './notice.js';
import { inFleet, pageUser, rolesChanged } from './pageUser.js';
import { viewOnlyText } from './viewOnlyText.js';

/** A viewer's notebook says that it cannot be run, and asks for no kernel. */
export const viewOnly: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:view-only',
  description: 'Tells viewers of a project that they may look but not run.',
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
          const viewer = isViewer(pageUser(), context.path);
          if (viewer) {
            notice.say(viewOnlyText(context.path, trans));
          } else {
            notice.hide();
          }
          if (viewer === (asked !== null)) {
            return;
          }
          const { shouldStart, canStart, shouldReuse } = asked ?? NO_KERNEL;
          asked = viewer ? sessionContext.kernelPreference : null;
          sessionContext.kernelPreference = {
            ...sessionContext.kernelPreference,
            shouldStart,
            canStart,
            shouldReuse
          };
          if (!viewer) {
            // It was put off for the viewer. If no kernel comes of it, a cell that is run asks.
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
