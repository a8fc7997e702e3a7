import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISessionContext, ISessionContextDialogs } from '@jupyterlab/apputils';
import type { Cell, ICodeCellModel } from '@jupyterlab/cells';
import { INotebookCellExecutor, NotebookPanel, runCell } from '@jupyterlab/notebook';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { PromiseDelegate } from '@lumino/coreutils';

import { tellBarred } from '../user/barredNotice.js';
import { barredText } from '../user/barredText.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { KernelDialogs } from './kernelDialogs.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { KernelStarts } from './kernelStarts.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { type Stage, UNKNOWN } from '../launches/launchStage.js';
import { openWidgets } from '../page/openWidgets.js';
import { inFleet, pageUser } from '../user/pageUser.js';
import type { WaitingCells } from '../launches/waitingCells.js';
import { IWaitingCells } from './waitingCellsPlugin.js';

/** Runs each cell once, on the notebook's one kernel, however early it is run. */
class PatientCellExecutor implements INotebookCellExecutor {
  /** @param widgetOf - The widget that a cell has now. */
  constructor(
    dialogs: KernelDialogs,
    launches: KernelLaunches,
    waiting: WaitingCells<ISessionContext>,
    widgetOf: (context: ISessionContext, id: string) => Cell | undefined,
    trans: TranslationBundle
  ) {
    this._stageOf = context => stageOf(launches, context);
    this._starts = new KernelStarts<ISessionContext>(dialogs, {
      stageOf: this._stageOf,
      changed: launches.changed
    });
    this._waiting = waiting;
    this._widgetOf = widgetOf;
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
    if (!this._mustWait(sessionContext)) {
      return runCell(options);
    }
    const { id } = cell.model;
    const found = await this._wait(cell, sessionContext);
    // A cell that was moved while it waited has another widget.
    const now = cell.isDisposed ? this._widgetOf(sessionContext, id) : cell;
    if (!now) {
      return false;
    }
    if (!found) {
      // Its output stays: nothing has run.
      (now.model as ICodeCellModel).executionState = 'idle';
      return false;
    }
    return runCell({ ...options, cell: now });
  }

  /** Wait until the notebook has a kernel that runs; false if it gets none, or a person cancels. */
  private async _wait(cell: Cell, context: ISessionContext): Promise<boolean> {
    const model = cell.model as ICodeCellModel;
    model.executionState = 'running';
    const canceled = new PromiseDelegate<boolean>();
    const entry = this._waiting.add(context, {
      id: model.id,
      cancel: () => canceled.resolve(false)
    });
    try {
      const found = this._starts.kernelFor(context).catch(() => false);
      return await Promise.race([canceled.promise, found]);
    } finally {
      entry.dispose();
    }
  }

  private _mustWait(context: ISessionContext): boolean {
    // What JupyterLab says about a kernel that is being ended, it says at once.
    return (
      !context.isTerminating &&
      (this._stageOf(context).is !== 'running' || this._waiting.of(context).length > 0)
    );
  }

  private readonly _stageOf: (context: ISessionContext) => Stage;
  private readonly _starts: KernelStarts<ISessionContext>;
  private readonly _waiting: WaitingCells<ISessionContext>;
  private readonly _widgetOf: (context: ISessionContext, id: string) => Cell | undefined;
  private readonly _trans: TranslationBundle;
}

/** How far the kernel of a document has come; unknown also if it has none. */
function stageOf(launches: KernelLaunches, context: ISessionContext): Stage {
  const kernel = context.session?.kernel;
  return kernel ? launches.stageOf(kernel.id) : UNKNOWN;
}

/** Replaces JupyterLab's own plugin; without the fleet it provides what that one provides. */
export const cellExecutor: JupyterFrontEndPlugin<INotebookCellExecutor> = {
  id: 'jupyter-fleet:cell-executor',
  description: 'Keeps the cells that are run while their kernel starts.',
  autoStart: true,
  provides: INotebookCellExecutor,
  requires: [ISessionContextDialogs, IKernelLaunches, IWaitingCells],
  optional: [ITranslator],
  activate: (
    { shell }: JupyterFrontEnd,
    dialogs: ISessionContext.IDialogs,
    launches: KernelLaunches,
    waiting: WaitingCells<ISessionContext>,
    translator: ITranslator | null
  ) => {
    if (!inFleet() || !(dialogs instanceof KernelDialogs)) {
      return Object.freeze({ runCell });
    }
    const widgetOf = (context: ISessionContext, id: string) => {
      const panel = [...openWidgets(shell)].find(widget => widget.sessionContext === context);
      return panel instanceof NotebookPanel
        ? panel.content.widgets.find(cell => cell.model.id === id)
        : undefined;
    };
    return new PatientCellExecutor(dialogs, launches, waiting, widgetOf, fleetBundle(translator));
  }
};
