import { showErrorMessage } from '@jupyterlab/apputils';
import type { Kernel, ServiceManager, Session } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { whyOnlyLook } from '../contents/contentsRefusals.js';
import { askToEnd, askToEndUsed, EndingCanceled } from './endingKernels.js';
import { pageUser } from '../user/pageUser.js';
import { stageOfModel, UNKNOWN } from '../launches/launchStage.js';
import { isUsedElsewhere, type OwnConnection } from './usedElsewhere.js';
import {
  type IKernelName,
  IKernelOwner,
  isMyKernel,
  isMySession,
  ISessionOwner,
  nameOfKernel,
  nameOfSession
} from './whose.js';

/**
 * Intercepts the calls with which the page ends kernels.
 *
 * "All" is what this user started and nobody else uses now. The kernel of another person is ended alone,
 * after a question that names it. Whoever calls JupyterLab's managers comes through here: panels,
 * menus, other extensions.
 */
export class KernelEnder {
  /**
   * Takes over the managers' ways to end kernels, for as long as the page lives.
   *
   * @param _connections - Those of this page to kernels.
   */
  constructor(
    services: ServiceManager.IManager,
    me: string,
    private readonly _connections: Iterable<OwnConnection>,
    trans: TranslationBundle
  ) {
    this._kernels = services.kernels;
    this._sessions = services.sessions;
    this._me = me;
    this._trans = trans;
    const endKernel = this._kernels.shutdown.bind(this._kernels);
    const endSession = this._sessions.shutdown.bind(this._sessions);
    this._endKernel = endKernel;
    this._kernels.shutdown = async id => {
      const kernel = this._runningKernel(id);
      const refusal = kernel && whyOnlyLook(pageUser(), kernel.project ?? '', trans);
      if (refusal) {
        this._refused(new Error(refusal));
      } else if (await this.mayEndKernel(id)) {
        await endKernel(id).catch((error: Error) => this._refused(error));
      }
    };
    this._sessions.shutdown = async id => {
      const session = this._runningSessions().find(running => running.id === id);
      if (!session || (await this._decideOn(session))) {
        await endSession(id);
      }
    };
    // JupyterLab ends the kernel of a file before it deletes the file, whatever comes of it.
    this._sessions.stopIfNeeded = async path => {
      await this._sessions.refreshRunning();
      const session = this._runningSessions().find(running => running.path === path);
      if (!session) {
        return;
      }
      if (!(await this._decideOn(session))) {
        throw new EndingCanceled();
      }
      await endSession(session.id).catch(() => undefined);
    };
    this._kernels.shutdownAll = async () => {
      await this._kernels.refreshRunning();
      await this._endAll(this.myKernels().map(kernel => endKernel(kernel.id)));
      await this._sessions.refreshRunning();
    };
    this._sessions.shutdownAll = async () => {
      await Promise.all([this._sessions.refreshRunning(), this._kernels.refreshRunning()]);
      const shared = new Set(this.sharedKernels().map(({ id }) => id));
      const mine = this._runningSessions().filter(
        session => isMySession(session, this._me) && !shared.has(session.kernel?.id ?? '')
      );
      await this._endAll(mine.map(session => endSession(session.id)));
      await this._kernels.refreshRunning();
    };
  }

  /** The kernels that run, that this user started, and that nobody else uses now. */
  myKernels(): Kernel.IModel[] {
    return this._started().filter(kernel => !isUsedElsewhere(kernel, this._connections));
  }

  /** The kernels that this user started, and to which others are connected. */
  sharedKernels(): Kernel.IModel[] {
    return this._started().filter(kernel => isUsedElsewhere(kernel, this._connections));
  }

  /** End some of this user's kernels. */
  async endMine(kernels: readonly Kernel.IModel[]): Promise<void> {
    await this._endAll(kernels.map(kernel => this._endKernel(kernel.id)));
    await this._sessions.refreshRunning();
  }

  /** What to call a kernel in a list: the notebook that uses it. */
  labelOf(kernel: Kernel.IModel): string {
    const { notebook, project } = nameOfKernel(kernel, this._runningSessions());
    return notebook
      ? this._trans.__('%1 (%2)', notebook, project)
      : this._trans.__('%1 (%2)', kernel.name, kernel.id.slice(0, 8));
  }

  /** Whether a kernel may be ended: it is this user's and nobody else uses it, or they say so. */
  async mayEndKernel(id: string): Promise<boolean> {
    const kernel = this._runningKernel(id);
    return (
      !kernel ||
      this._mayEnd(id, isMyKernel(kernel, this._me), nameOfKernel(kernel, this._runningSessions()))
    );
  }

  /** The same for a session's kernel. */
  async mayEndSession(session: ISessionOwner): Promise<boolean> {
    return this._mayEnd(session.kernel?.id, isMySession(session, this._me), nameOfSession(session));
  }

  private async _mayEnd(
    id: string | undefined,
    isMine: boolean,
    name: IKernelName
  ): Promise<boolean> {
    if (!isMine) {
      return askToEnd(name, this._trans);
    }
    // Others may have come since the list was last read.
    await this._kernels.refreshRunning().catch(() => undefined);
    const kernel = [...this._kernels.running()].find(running => running.id === id);
    // Nobody would lose anything with one that is starting or has ended.
    const isUsed =
      kernel &&
      stageOfModel(UNKNOWN, kernel).is === 'running' &&
      isUsedElsewhere(kernel, this._connections);
    return !isUsed || askToEndUsed(name, this._trans);
  }

  /** Whether to end a session; an error, in words for a person, if this user may not. */
  private async _decideOn(session: ISessionOwner): Promise<boolean> {
    const refusal = whyOnlyLook(pageUser(), session.path, this._trans);
    if (refusal) {
      throw new Error(refusal);
    }
    return this.mayEndSession(session);
  }

  /** As the server describes a session that the page is connected to. */
  modelOf(connection: Session.ISessionConnection): ISessionOwner {
    return (
      this._runningSessions().find(running => running.id === connection.id) ?? connection.model
    );
  }

  private _started(): Kernel.IModel[] {
    return [...this._kernels.running()].filter(kernel => isMyKernel(kernel, this._me));
  }

  private _runningKernel(id: string): IKernelOwner | undefined {
    return [...this._kernels.running()].find(running => running.id === id);
  }

  private _runningSessions(): ISessionOwner[] {
    return [...this._sessions.running()] as ISessionOwner[];
  }

  private async _endAll(ends: Promise<void>[]): Promise<void> {
    const refused = (await Promise.allSettled(ends)).find(end => end.status === 'rejected');
    if (refused) {
      this._refused(refused.reason as Error);
    }
  }

  private _refused(error: Error): void {
    void showErrorMessage(this._trans.__('The Kernel Was Not Shut Down'), error);
  }

  private readonly _kernels: Kernel.IManager;
  private readonly _sessions: Session.IManager;
  private readonly _me: string;
  private readonly _trans: TranslationBundle;
  private readonly _endKernel: (id: string) => Promise<void>;
}
