import type { ISessionContext } from '@jupyterlab/apputils';
import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker } from '@jupyterlab/notebook';

import { kernelFor } from './kernelName.js';
import { inFleet } from '../user/pageUser.js';

/** JupyterLab goes by language too, but only where it is saved and one kernelspec has it. */
export const kernelNames: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:kernel-names',
  description: 'Opens notebooks from elsewhere with our kernel of their language.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (app: JupyterFrontEnd, notebooks: INotebookTracker) => {
    if (!inFleet()) {
      return;
    }
    const { kernelspecs } = app.serviceManager;
    const adjust = (context: ISessionContext) => {
      const preference = context.kernelPreference;
      const name = kernelspecs.specs
        ? kernelFor(
            preference.name,
            preference.language,
            kernelspecs.specs.kernelspecs,
            kernelspecs.specs.default
          )
        : null;
      if (name !== null) {
        context.kernelPreference = { ...preference, name };
      }
    };
    notebooks.widgetAdded.connect((_, panel) => {
      const context = panel.sessionContext;
      // The notebook's own name comes when it has been read, just before the kernel is started.
      context.kernelPreferenceChanged.connect(adjust);
      const whenKnown = () => adjust(context);
      kernelspecs.specsChanged.connect(whenKnown);
      panel.disposed.connect(() => {
        kernelspecs.specsChanged.disconnect(whenKnown);
      });
      adjust(context);
    });
  }
};
