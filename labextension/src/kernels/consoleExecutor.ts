import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IConsoleCellExecutor, runCell } from '@jupyterlab/console';

import { IPatientCells } from './patientCells.js';

/** Replaces JupyterLab's own plugin; without the fleet it provides what that one provides. */
export const consoleExecutor: JupyterFrontEndPlugin<IConsoleCellExecutor> = {
  id: 'jupyter-fleet:console-executor',
  description: 'Runs the cells of consoles when their kernel has started.',
  autoStart: true,
  provides: IConsoleCellExecutor,
  requires: [IPatientCells],
  activate: (_app: JupyterFrontEnd, { cells }: IPatientCells) => {
    if (!cells) {
      return Object.freeze({ runCell });
    }
    return {
      runCell: async options => {
        // A console that was cleared meanwhile has lost the cell.
        const admitted = cells.admit(options.cell, options.sessionContext, () => undefined);
        const now = admitted instanceof Promise ? await admitted : admitted;
        return now ? runCell({ ...options, cell: now }) : false;
      }
    };
  }
};
