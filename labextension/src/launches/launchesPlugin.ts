import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Token } from '@lumino/coreutils';

import { followLaunches } from './followLaunches.js';
import { KernelLaunches } from './kernelLaunches.js';
import { inFleet } from '../user/pageUser.js';

/** How far each kernel has come. */
export const IKernelLaunches = new Token<KernelLaunches>('jupyter-fleet:IKernelLaunches');

/** One view of all kernels for everything that shows or waits for them. */
export const launchesPlugin: JupyterFrontEndPlugin<KernelLaunches> = {
  id: 'jupyter-fleet:kernel-launches',
  description: 'Knows how far each kernel has come while it starts.',
  autoStart: true,
  provides: IKernelLaunches,
  activate: ({ serviceManager }: JupyterFrontEnd) => {
    const { kernels, sessions } = serviceManager;
    if (inFleet()) {
      followLaunches(kernels);
    }
    return new KernelLaunches(kernels, sessions);
  }
};
