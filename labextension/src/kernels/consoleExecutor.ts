import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { CodeCell } from '@jupyterlab/cells';
import { IConsoleCellExecutor, runCell } from '@jupyterlab/console';

import { outputOfDeath } from '../outputs/kernelDied.js';
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
        if (!now) {
          return false;
        }
        const isOk = await runCell({ ...options, cell: now });
        await showDeath(now);
        return isOk;
      }
    };
  }
};

/** A cell in which the kernel died, or before its turn, says so and is over: JupyterLab would let it run. */
async function showDeath({ model, outputArea }: CodeCell): Promise<void> {
  // JupyterLab has none for an area that is gone, whatever its type says.
  const future = outputArea.future as typeof outputArea.future | null;
  const reply = await future?.done.catch(() => undefined);
  const output = reply && outputOfDeath(reply);
  if (output && !model.isDisposed) {
    model.outputs.add(output);
    model.executionState = 'idle';
  }
}
