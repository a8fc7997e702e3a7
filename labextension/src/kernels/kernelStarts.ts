import type { ISignal } from '@lumino/signaling';

import { steadyTime } from '../page/steadyTime.js';
import type { Stage } from '../launches/launchStage.js';

/** What the wait for a kernel needs of JupyterLab's session context. */
export interface IStartingContext {
  readonly isDisposed: boolean;
  readonly session: { readonly kernel: unknown } | null;
  /** False also while a kernel is being started whose name is known. */
  readonly hasNoKernel: boolean;
  /** Resolves when the first kernel is there or is known not to come. */
  readonly ready: Promise<void>;
  readonly kernelChanged: ISignal<unknown, unknown>;
  readonly statusChanged: ISignal<unknown, unknown>;
  readonly disposed: ISignal<unknown, unknown>;
  /** Start the preferred kernel; true if a person has to choose one. */
  startKernel(): Promise<boolean>;
}

/** The dialogs in which a user chooses a kernel. */
export interface IKernelChoice<T> {
  /** Whether a choice for this context is open, or what was chosen is being started. */
  isOpen(context: T): boolean;
  /** Whether a choice for this context has ever ended, with a kernel or without. */
  hasEnded(context: T): boolean;
  /** A choice has ended. */
  readonly ended: ISignal<unknown, T>;
  selectKernel(context: T): Promise<void>;
}

/** How far the kernels of contexts have come. */
export interface IContextStages<T> {
  stageOf(context: T): Stage;
  /** The stage of any of them has changed. */
  readonly changed: ISignal<unknown, unknown>;
}

/**
 * Finds the kernel that cells run on.
 *
 * While a kernel starts, JupyterLab drops the cells that are run, or starts another kernel for them.
 * Here they wait, in the order in which they were run, and start one kernel at most between them.
 */
export class KernelStarts<T extends IStartingContext> {
  /**
   * @param choice - The dialogs in which a user chooses a kernel.
   * @param stages - How far the contexts' kernels have come.
   * @param patience - Milliseconds after which a context that does nothing to get its first kernel
   * is taken for one that failed to look for it; then a cell that is run starts a kernel.
   */
  constructor(choice: IKernelChoice<T>, stages: IContextStages<T>, patience = 10_000) {
    this._choice = choice;
    this._stages = stages;
    this._patience = patience;
  }

  /**
   * Wait until the context has a kernel that runs, or will get none.
   *
   * @returns whether it has one. Whoever calls while others wait gets their answer, after them.
   */
  kernelFor(context: T): Promise<boolean> {
    let turn = this._turns.get(context);
    if (!turn) {
      turn = this._find(context)
        .then(found => found && this._runs(context))
        .finally(() => this._turns.delete(context));
      this._turns.set(context, turn);
    }
    return turn;
  }

  private async _find(context: T): Promise<boolean> {
    const start = await this._startUnderWay(context);
    if (hasKernel(context) || context.isDisposed) {
      return hasKernel(context);
    }
    if (start === 'ended') {
      // It failed, or a person chose no kernel: nobody is asked again for the cells that waited.
      return false;
    }
    if (await context.startKernel()) {
      await this._choice.selectKernel(context);
    }
    return hasKernel(context);
  }

  /** Wait until the context's kernel runs; false if it does not come to that. */
  private async _runs(context: T): Promise<boolean> {
    while (hasKernel(context)) {
      const stage = this._stages.stageOf(context).is;
      if (stage === 'running' || stage === 'dead') {
        return stage === 'running';
      }
      await this._change(context);
    }
    return false;
  }

  /** Wait for a start in progress, if there is one. */
  private async _startUnderWay(context: T): Promise<'none' | 'ended'> {
    let outcome: 'none' | 'ended' = 'none';
    const given = steadyTime() + this._patience;
    await this._watchReady(context);
    while (!context.isDisposed && !hasKernel(context)) {
      if (this._isStarting(context)) {
        outcome = 'ended';
        await this._change(context);
      } else if (!this._isSettled(context)) {
        // Its first kernel has not been asked for yet: it will be, once the document is there.
        if (steadyTime() >= given) {
          return 'none';
        }
        outcome = 'ended';
        await this._change(context, given - steadyTime());
      } else if (outcome === 'none') {
        return 'none';
      } else {
        // Whoever started it in vain may ask for another kernel, a moment later.
        await new Promise(resolve => setTimeout(resolve, 0));
        if (!this._isStarting(context)) {
          return 'ended';
        }
      }
    }
    return outcome;
  }

  private _isStarting(context: T): boolean {
    return this._choice.isOpen(context) || !context.hasNoKernel;
  }

  /** Whether the context has had its first kernel, or is known to get none. */
  private _isSettled(context: T): boolean {
    return this._ready.has(context) || this._choice.hasEnded(context);
  }

  /** Know, when this resolves, whether the context is ready, and note it if it becomes so later. */
  private async _watchReady(context: T): Promise<void> {
    if (!this._watched.has(context)) {
      this._watched.add(context);
      void context.ready.then(() => this._ready.add(context));
    }
    // Promises that are resolved already call back before this goes on.
    await Promise.resolve();
  }

  /** Wait until something about the context's kernel changes, or for so many milliseconds. */
  private _change(context: T, milliseconds?: number): Promise<void> {
    return new Promise(resolve => {
      const done = () => {
        context.kernelChanged.disconnect(done);
        context.statusChanged.disconnect(done);
        context.disposed.disconnect(done);
        this._choice.ended.disconnect(done);
        this._stages.changed.disconnect(done);
        clearTimeout(timer);
        resolve();
      };
      const timer = milliseconds === undefined ? undefined : setTimeout(done, milliseconds);
      context.kernelChanged.connect(done);
      context.statusChanged.connect(done);
      context.disposed.connect(done);
      this._choice.ended.connect(done);
      this._stages.changed.connect(done);
      if (!this._ready.has(context)) {
        void context.ready.then(done);
      }
    });
  }

  private readonly _choice: IKernelChoice<T>;
  private readonly _stages: IContextStages<T>;
  private readonly _patience: number;
  private readonly _turns = new Map<T, Promise<boolean>>();
  private readonly _ready = new WeakSet<T>();
  private readonly _watched = new WeakSet<T>();
}

function hasKernel(context: IStartingContext): boolean {
  return !context.isDisposed && !!context.session?.kernel;
}
