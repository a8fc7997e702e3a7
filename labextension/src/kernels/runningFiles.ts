import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { type FileBrowser, IFileBrowserFactory } from '@jupyterlab/filebrowser';
import type { Signal } from '@lumino/signaling';

import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { inFleet } from '../user/pageUser.js';

/** Marks only those files as running in the file browser whose kernels have not ended. */
export const runningFiles: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:running-files',
  description: 'Keeps the mark of running kernels from files whose kernels have ended.',
  autoStart: true,
  requires: [IFileBrowserFactory, IKernelLaunches],
  activate: (_app: JupyterFrontEnd, { tracker }: IFileBrowserFactory, launches: KernelLaunches) => {
    if (!inFleet()) {
      return;
    }
    const follow = (browser: FileBrowser) => {
      const { model } = browser;
      const sessions = model.sessions.bind(model);
      model.sessions = () =>
        [...sessions()]
          .filter(({ kernel }) => !kernel || launches.stageOf(kernel.id).is !== 'dead')
          .values();
      // As JupyterLab does when the list of sessions has changed.
      const changed = () => (model.refreshed as Signal<unknown, void>).emit();
      launches.changed.connect(changed);
      browser.disposed.connect(() => launches.changed.disconnect(changed));
    };
    tracker.forEach(follow);
    tracker.widgetAdded.connect((_, browser) => follow(browser));
  }
};
