import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import { INotebookCellExecutor, NotebookPanel, runCell } from '@jupyterlab/notebook';

import { openWidgets } from '../page/openWidgets.js';
import { IPatientCells } from './patientCells.js';

/** Replaces JupyterLab's own plugin; without the fleet it provides what that one provides. */
export const cellExecutor: JupyterFrontEndPlugin<INotebookCellExecutor> = {
  id: 'jupyter-fleet:cell-executor',
  description: 'Runs the cells of notebooks when their kernel has started.',
  autoStart: true,
  provides: INotebookCellExecutor,
  requires: [IPatientCells],
  activate: ({ shell }: JupyterFrontEnd, { cells }: IPatientCells) => {
    if (!cells) {
      return Object.freeze({ runCell });
    }
    // A cell that was moved while it waited has another widget.
    const widgetOf = (context: ISessionContext, id: string): Cell | undefined => {
      const panel = [...openWidgets(shell)].find(widget => widget.sessionContext === context);
      return panel instanceof NotebookPanel
        ? panel.content.widgets.find(cell => cell.model.id === id)
        : undefined;
    };
    return {
      runCell: async options => {
        const { cell, sessionContext: context } = options;
        if (cell.model.type !== 'code' || !context) {
          return runCell(options);
        }
        const admitted = cells.admit(cell, context, id => widgetOf(context, id));
        const now = admitted instanceof Promise ? await admitted : admitted;
        return now ? runCell({ ...options, cell: now }) : false;
      }
    };
  }
};
