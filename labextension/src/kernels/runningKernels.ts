import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IRunningSessionManagers, type IRunningSessions } from '@jupyterlab/running';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Signal } from '@lumino/signaling';

import { fleetBundle } from '../page/fleetBundle.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { describe } from '../launches/runningWords.js';
import { inFleet, pageUser } from '../user/pageUser.js';

/** Says in the panel of running kernels which of them start, did not start, or have ended, and whose. */
export const runningKernels: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:running-kernels',
  description: 'Shows in the running panel how far each kernel is.',
  autoStart: true,
  requires: [IKernelLaunches],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    launches: KernelLaunches,
    running: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    if (!inFleet() || !running) {
      return;
    }
    const trans = fleetBundle(translator);
    const theirs = (translator ?? nullTranslator).load('jupyterlab').__('Kernels');
    const follow = (section: IRunningSessions.IManager) => {
      if (section.name !== theirs) {
        return;
      }
      const items = section.running.bind(section);
      section.running = options => {
        const shown = items(options);
        describe(shown, id => launches.stageOf(id), pageUser()?.username ?? '', trans);
        return shown;
      };
      launches.changed.connect(() => {
        (section.runningChanged as Signal<unknown, unknown>).emit(undefined);
      });
    };
    running.items().forEach(follow);
    running.added.connect((_, section) => follow(section));
  }
};
