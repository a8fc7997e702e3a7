import type { JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { Token } from '@lumino/coreutils';

import { WaitingCells } from '../launches/waitingCells.js';

/** The cells that wait for the kernel of a notebook or console. */
export const IWaitingCells = new Token<WaitingCells<ISessionContext>>(
  'jupyter-fleet:IWaitingCells'
);

/** Provides the store, which the executors write. */
export const waitingCells: JupyterFrontEndPlugin<WaitingCells<ISessionContext>> = {
  id: 'jupyter-fleet:waiting-cells',
  description: 'Knows which cells wait for their kernel.',
  autoStart: true,
  provides: IWaitingCells,
  activate: () => new WaitingCells<ISessionContext>()
};
