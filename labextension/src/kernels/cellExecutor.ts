import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISessionContext, ISessionContextDialogs } from '@jupyterlab/apputils';
import type { ICodeCellModel } from '@jupyterlab/cells';
import { INotebookCellExecutor, runCell } from '@jupyterlab/notebook';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';

import { tellBarred } from '../user/barredNotice.js';
import { barredText } from '../user/barredText.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { KernelDialogs } from './kernelDialogs.js';
import { KernelStarts } from './kernelStarts.js';
import { inFleet, pageUser } from '../user/pageUser.js';

/** Runs each cell once, on the notebook's one kernel, however early it is run. */
class PatientCellExecutor implements INotebookCellExecutor {
  constructor(dialogs: KernelDialogs, trans: TranslationBundle) {
    this._starts = new KernelStarts<ISessionContext>(dialogs);
    this._trans = trans;
  }

  async runCell(options: INotebookCellExecutor.IRunCellOptions): Promise<boolean> {
    const { cell, sessionContext } = options;
    if (cell.model.type !== 'code' || !sessionContext) {
      return runCell(options);
    }
    const refusal = barredText(pageUser(), sessionContext.path, this._trans);
    if (refusal) {
      tellBarred(refusal);
      return false;
    }
    if (this._mustWait(sessionContext)) {
      const model = cell.model as ICodeCellModel;
      model.executionState = 'running';
      const found = await this._starts.kernelFor(sessionContext).catch(() => false);
      if (cell.isDisposed) {
        return false;
      }
      if (!found) {
        // Its output stays: nothing has run.
        model.executionState = 'idle';
        return false;
      }
    }
    return runCell(options);
  }

  private _mustWait(context: ISessionContext): boolean {
    // What JupyterLab says about a kernel that is being ended, it says at once.
    return !context.isTerminating && !context.session?.kernel;
  }

  private readonly _starts: KernelStarts<ISessionContext>;
  private readonly _trans: TranslationBundle;
}

/** Replaces JupyterLab's own plugin; without the fleet it provides what that one provides. */
export const cellExecutor: JupyterFrontEndPlugin<INotebookCellExecutor> = {
  id: 'jupyter-fleet:cell-executor',
  description: 'Keeps the cells that are run while their kernel starts.',
  autoStart: true,
  provides: INotebookCellExecutor,
  requires: [ISessionContextDialogs],
  optional: [ITranslator],
  activate: (
    _: JupyterFrontEnd,
    dialogs: ISessionContext.IDialogs,
    translator: ITranslator | null
  ) =>
    inFleet() && dialogs instanceof KernelDialogs
      ? new PatientCellExecutor(dialogs, fleetBundle(translator))
      : Object.freeze({ runCell })
};
