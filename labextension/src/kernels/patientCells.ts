import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISessionContext, ISessionContextDialogs } from '@jupyterlab/apputils';
import type { Cell, ICodeCellModel } from '@jupyterlab/cells';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';
import { PromiseDelegate, Token } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';

import { tellBarred } from '../user/barredNotice.js';
import { barredText } from '../user/barredText.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { GoneKernels } from './goneKernels.js';
import { KernelDialogs } from './kernelDialogs.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { KernelStarts } from './kernelStarts.js';
import { startsAgain, startsAgainChanged } from './startAgain.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { type Stage, UNKNOWN } from '../launches/launchStage.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { inFleet, pageUser } from '../user/pageUser.js';
import type { WaitingCells } from '../launches/waitingCells.js';
import { IWaitingCells } from './waitingCellsPlugin.js';

/** Lets each cell of notebooks and consoles run once, on its one kernel, however early it is run. */
export class PatientCells {
  constructor(
    dialogs: KernelDialogs,
    launches: KernelLaunches,
    waiting: WaitingCells<ISessionContext>,
    gone: GoneKernels,
    trans: TranslationBundle
  ) {
    // Nobody knows how far a kernel has come that is being started again: it counts as dead until then.
    this._stageOf = context => (startsAgain(context) ? UNKNOWN : stageOf(launches, context));
    const changed = new Signal<this, void>(this);
    launches.changed.connect(() => changed.emit());
    startsAgainChanged.connect(() => changed.emit());
    this._starts = new KernelStarts<ISessionContext>(dialogs, { stageOf: this._stageOf, changed });
    this._waiting = waiting;
    this._gone = gone;
    this._trans = trans;
  }

  /**
   * The cell to run, at once or when there is a kernel that runs; null if there is none to run.
   *
   * @param widgetOf - The widget that a cell has by now whose own was disposed while it waited.
   */
  admit<T extends Cell>(
    cell: T,
    context: ISessionContext,
    widgetOf: (id: string) => T | undefined
  ): T | null | Promise<T | null> {
    const refusal = barredText(pageUser(), context.path, this._trans);
    if (refusal) {
      tellBarred(refusal);
      return null;
    }
    return this._mustWait(context) ? this._whenRuns(cell, context, widgetOf) : cell;
  }

  private async _whenRuns<T extends Cell>(
    cell: T,
    context: ISessionContext,
    widgetOf: (id: string) => T | undefined
  ): Promise<T | null> {
    const { id } = cell.model;
    const found = await this._wait(cell, context);
    const now = cell.isDisposed ? widgetOf(id) : cell;
    if (now && !found) {
      // Its output stays: nothing has run.
      (now.model as ICodeCellModel).executionState = 'idle';
    }
    return (found && now) || null;
  }

  /** Wait until the document has a kernel that runs; false if it gets none, or a person cancels. */
  private async _wait(cell: Cell, context: ISessionContext): Promise<boolean> {
    const model = cell.model as ICodeCellModel;
    model.executionState = 'running';
    const canceled = new PromiseDelegate<boolean>();
    // Whoever cancels may do so when a kernel is there already that is not the one to run it.
    let isCanceled = false;
    const entry = this._waiting.add(context, {
      id: model.id,
      cancel: () => {
        isCanceled = true;
        canceled.resolve(false);
      }
    });
    try {
      const found = this._kernelFor(context).catch(() => false);
      return (await Promise.race([canceled.promise, found])) && !isCanceled;
    } finally {
      entry.dispose();
    }
  }

  private async _kernelFor(context: ISessionContext): Promise<boolean> {
    const waits = () => this._waiting.of(context).length > 0;
    await this._gone.leave(context, () => waits() && this._isGone(context));
    return this._starts.kernelFor(context);
  }

  private _mustWait(context: ISessionContext): boolean {
    // What JupyterLab says about a kernel that is being ended, it says at once.
    return (
      !context.isTerminating &&
      (this._stageOf(context).is !== 'running' ||
        this._isGone(context) ||
        this._waiting.of(context).length > 0)
    );
  }

  /** Whether the kernel has ended, and is none that the server still has for it to be started again. */
  private _isGone(context: ISessionContext): boolean {
    return (
      this._gone.isGone(context) && this._stageOf(context).is !== 'dead' && !startsAgain(context)
    );
  }

  private readonly _stageOf: (context: ISessionContext) => Stage;
  private readonly _starts: KernelStarts<ISessionContext>;
  private readonly _waiting: WaitingCells<ISessionContext>;
  private readonly _gone: GoneKernels;
  private readonly _trans: TranslationBundle;
}

/** How far the kernel of a document has come; unknown also if it has none. */
function stageOf(launches: KernelLaunches, context: ISessionContext): Stage {
  const kernel = context.session?.kernel;
  return kernel ? launches.stageOf(kernel.id) : UNKNOWN;
}

/** Lets cells wait for their kernels. */
export interface IPatientCells {
  /** Null outside of the fleet: there nothing waits. */
  readonly cells: PatientCells | null;
}

export const IPatientCells = new Token<IPatientCells>('jupyter-fleet:IPatientCells');

/** What the executors of notebooks and consoles share. */
export const patientCells: JupyterFrontEndPlugin<IPatientCells> = {
  id: 'jupyter-fleet:patient-cells',
  description: 'Keeps the cells that are run while their kernel starts.',
  autoStart: true,
  provides: IPatientCells,
  requires: [ISessionContextDialogs, IKernelLaunches, IWaitingCells, IStreams],
  optional: [ITranslator],
  activate: (
    _app: JupyterFrontEnd,
    dialogs: ISessionContext.IDialogs,
    launches: KernelLaunches,
    waiting: WaitingCells<ISessionContext>,
    streams: Streams | null,
    translator: ITranslator | null
  ) => ({
    cells:
      inFleet() && dialogs instanceof KernelDialogs
        ? new PatientCells(
            dialogs,
            launches,
            waiting,
            new GoneKernels(streams),
            fleetBundle(translator)
          )
        : null
  })
};
