import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Token } from '@lumino/coreutils';

import { KernelLaunches } from './kernelLaunches.js';

/** How far each kernel has come. */
export const IKernelLaunches = new Token<KernelLaunches>('jupyter-fleet:IKernelLaunches');

/** One view of all kernels for everything that shows or waits for them. */
export const launchesPlugin: JupyterFrontEndPlugin<KernelLaunches> = {
  id: 'jupyter-fleet:kernel-launches',
  description: 'Knows how far each kernel has come while it starts.',
  autoStart: true,
  provides: IKernelLaunches,
  activate: ({ serviceManager }: JupyterFrontEnd) =>
    new KernelLaunches(serviceManager.kernels, serviceManager.sessions)
};
