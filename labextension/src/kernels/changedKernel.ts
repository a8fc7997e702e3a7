import type { ISessionContext } from '@jupyterlab/apputils';
import { type Kernel, KernelAPI, type KernelSpec, type Session } from '@jupyterlab/services';

import {
  type IKernelPast,
  type IMissedKernel,
  missedKernel,
  NO_PAST,
  pastAfterChange,
  pastAtStage
} from '../launches/formerKernel.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { whileLaunching } from '../launches/launchCancels.js';
import { startMissed } from './startAgain.js';

const ASK_AGAIN_MS = 1_000;
/** After that JupyterLab's own refreshes, which are slower, have to do. */
const ASK_TIMES = 10;

/**
 * Follows a document that gets another kernel, and has its earlier one again if that does not come.
 *
 * The server keeps the earlier one and decides; see docs/protocols.md. This notices it soon.
 */
export class ChangedKernel {
  constructor(
    private readonly _context: ISessionContext,
    private readonly _launches: KernelLaunches,
    private readonly _specs: KernelSpec.IManager
  ) {}

  /** The document has another kernel: whether it is the earlier one, because the other did not come. */
  changed(
    left: Kernel.IKernelConnection | null | undefined,
    next: Kernel.IKernelConnection | null | undefined
  ): boolean {
    const stage = left ? this._launches.stageOf(left.id) : ({ is: 'unknown' } as const);
    // The connection itself is of no use any more.
    const was = left ? { id: left.id, name: left.name } : null;
    this._past = pastAfterChange(this._past, was, stage, next ?? null);
    return this._past.missed !== null;
  }

  /** The kernel that did not come, if a person should be told. */
  get missed(): IMissedKernel | null {
    const { missed } = this._past;
    if (!missed) {
      return null;
    }
    const title = this._specs.specs?.kernelspecs[missed.name]?.display_name ?? missed.name;
    return missedKernel(title, this._launches.stageOf(missed.id), missed.id === this._canceled);
  }

  /** The name of its kernelspec. */
  get missedName(): string | null {
    return this._past.missed?.name ?? null;
  }

  /** A person has read it. */
  close(): void {
    this._past = { ...this._past, missed: null };
  }

  /** Look at the stage of the document's kernel: one that failed is soon replaced by the earlier. */
  look(): void {
    const kernel = this._context.session?.kernel;
    if (!kernel) {
      return;
    }
    const stage = this._launches.stageOf(kernel.id);
    // The list of sessions says it after a reload, and no longer when the earlier one is back.
    this._past = pastAtStage(this._past, stage, this._former);
    if (stage.is === 'launching') {
      this._asked = null;
    } else if (stage.is === 'dead' && this._past.former !== null && this._asked !== kernel.id) {
      this._asked = kernel.id;
      void this._goBack(kernel.id);
    }
  }

  /**
   * Cancel the start of the document's kernel; false if there is no earlier one to go back to.
   *
   * @throws a ResponseError with status 409 if the kernel runs already.
   */
  async cancel(): Promise<boolean> {
    const { session } = this._context;
    const kernel = session?.kernel;
    if (!kernel || this._former === null) {
      return false;
    }
    this._past = { ...this._past, former: this._former };
    this._canceled = kernel.id;
    try {
      await whileLaunching(kernel.id, () =>
        KernelAPI.shutdownKernel(kernel.id, session.serverSettings)
      );
    } catch (error) {
      this._canceled = null;
      throw error;
    }
    await this._goBack(kernel.id);
    return true;
  }

  /** Start the kernel again that did not come. */
  async startAgain(): Promise<void> {
    const { missed } = this._past;
    if (missed) {
      this._canceled = this._asked = null;
      await startMissed(this._context, missed);
    }
  }

  /** The kernel that the document has again if the present one does not come. */
  private get _former(): string | null {
    const { session } = this._context;
    if (this._past.former === null && session) {
      const model = [...this._sessions.running()].find(({ id }) => id === session.id);
      const { former_kernel: former } = (model ?? {}) as { former_kernel?: string | null };
      return (model?.kernel?.id === session.kernel?.id && former) || null;
    }
    return this._past.former;
  }

  /** Have the page learn that the document has its earlier kernel again. */
  private async _goBack(id: string): Promise<void> {
    const stays = () => !this._context.isDisposed && this._context.session?.kernel?.id === id;
    for (let times = 0; times < ASK_TIMES && stays(); times += 1) {
      await this._sessions.refreshRunning().then(
        () => this._adopt(id),
        () => undefined
      );
      const startsAgain = this._launches.stageOf(id).is === 'launching' && this._canceled !== id;
      if (!stays() || startsAgain) {
        break;
      }
      await new Promise(resolve => setTimeout(resolve, ASK_AGAIN_MS));
    }
  }

  /**
   * Take over which kernel the list of sessions names in place of one that did not come.
   *
   * JupyterLab does so when the list changes. If the start failed at once, no list ever had it.
   */
  private _adopt(failed: string): void {
    const { session } = this._context;
    const model = [...this._sessions.running()].find(({ id }) => id === session?.id);
    if (session?.kernel?.id === failed && model?.kernel && model.kernel.id !== failed) {
      (session as unknown as { update?: (model: Session.IModel) => void }).update?.(model);
    }
  }

  private get _sessions(): Session.IManager {
    return (this._context as unknown as { sessionManager: Session.IManager }).sessionManager;
  }

  private _past: IKernelPast = NO_PAST;
  private _canceled: string | null = null;
  private _asked: string | null = null;
}
