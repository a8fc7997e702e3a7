import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import { NotebookModel } from '@jupyterlab/notebook';

import { acceptAnyKeys, type ISharedMap } from './anyKeys.js';
import { inFleet } from '../user/pageUser.js';

/** Opens notebooks whatever the keys in their data are called. */
export const anyKeys: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:any-keys',
  description: 'Opens notebooks whatever the keys in their data are called.',
  autoStart: true,
  activate: () => {
    if (!inFleet()) {
      return;
    }
    // JupyterLab's own class of maps is reached by a document of its own.
    const model = new NotebookModel();
    const { ymeta } = model.sharedModel as unknown as { readonly ymeta?: ISharedMap };
    if (ymeta) {
      acceptAnyKeys(ymeta);
    }
    model.dispose();
  }
};
