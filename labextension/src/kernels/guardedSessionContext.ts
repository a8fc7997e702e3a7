import { type ISessionContext, SessionContext, showErrorMessage } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';

import { tellBarred } from '../user/barredNotice.js';
import { barredText } from '../user/barredText.js';
import { EndingCanceled } from './endingKernels.js';
import type { FirstKernels } from './firstKernels.js';
import { isBarred } from '../user/fleetUser.js';
import { joinSession } from './joinSession.js';
import type { KernelEnder } from './kernelEnder.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { isForMeAlone } from '../launches/ownStarts.js';
import { shownStatus } from '../launches/shownStatus.js';
import { pageUser } from '../user/pageUser.js';
import { changeOrRemember } from './refusedChange.js';
import { startOrTell } from './refusedStart.js';
import { startAgain } from './startAgain.js';

/** The name of the kernel that a context is about to have. */
interface IPending {
  _pendingKernelName: string;
}

/**
 * Guard what documents and consoles do with their kernels: end, change, start and restart them.
 *
 * JupyterLab makes session contexts in many places and lets nobody replace them, so this changes
 * their class. Ending a session by its context does not go through the session manager.
 */
export function guardSessionContexts(
  ender: KernelEnder,
  firstKernels: FirstKernels<ISessionContext>,
  launches: KernelLaunches,
  trans: TranslationBundle
): void {
  // eslint-disable-next-line @typescript-eslint/unbound-method -- each is called on its context
  const { initialize, shutdown, changeKernel, startKernel, restartKernel } =
    SessionContext.prototype;

  // Contexts that look for their first kernel: they ask for the session of their path themselves.
  const initializing = new WeakSet<SessionContext>();
  const joined = async (context: SessionContext) =>
    !context.session && !initializing.has(context) && (await joinSession(context));

  SessionContext.prototype.initialize = async function (this: SessionContext) {
    initializing.add(this);
    try {
      await firstKernels.before(this);
      // As after "No Kernel": a context that is ready has a session, some extensions rely on it.
      if (this.isDisposed || isBarred(pageUser(), this.path)) {
        return false;
      }
      return await initialize.call(this);
    } finally {
      initializing.delete(this);
      firstKernels.settled(this);
    }
  };

  SessionContext.prototype.shutdown = async function (this: SessionContext) {
    const session = this.session;
    if (session && !(await ender.mayEndSession(ender.modelOf(session)))) {
      throw new EndingCanceled();
    }
    const inside = this as unknown as IPending;
    const pending = inside._pendingKernelName;
    try {
      await shutdown.call(this);
    } catch (error) {
      // The kernel goes on: JupyterLab would show "No Kernel" and start another one.
      inside._pendingKernelName = pending;
      throw error;
    }
  };

  SessionContext.prototype.changeKernel = async function (
    this: SessionContext,
    options: Partial<Kernel.IModel> = {}
  ) {
    const refusal = barredText(pageUser(), this.path, trans);
    if (refusal) {
      tellBarred(refusal);
      return null;
    }
    await joined(this);
    const session = this.session;
    // The kernel that the document leaves ends, unless another document uses it, or others go on in it.
    const leaves = session?.kernel && !isForMeAlone(options);
    if (leaves && !(await ender.mayEndSession(ender.modelOf(session)))) {
      return session.kernel;
    }
    if (session && 'launch_options' in options) {
      // Whoever asked says why the server refuses, and the document keeps the kernel that it has.
      return changeOrRemember(this, options, () => session.changeKernel(options));
    }
    try {
      return await changeOrRemember(this, options, () => changeKernel.call(this, options));
    } finally {
      if (this.session?.kernel) {
        // JupyterLab keeps it, and would show it when the document has its earlier kernel again.
        (this as unknown as IPending)._pendingKernelName = '';
      }
    }
  };

  const shown = Object.getOwnPropertyDescriptor(SessionContext.prototype, 'kernelDisplayStatus')!;
  Object.defineProperty(SessionContext.prototype, 'kernelDisplayStatus', {
    configurable: true,
    get(this: SessionContext): ISessionContext.KernelDisplayStatus {
      const status = shown.get!.call(this) as ISessionContext.KernelDisplayStatus;
      const kernel = this.session?.kernel;
      return kernel
        ? shownStatus(status, kernel.status === 'dead', launches.stageOf(kernel.id))
        : status;
    }
  });

  SessionContext.prototype.startKernel = async function (this: SessionContext) {
    if (isBarred(pageUser(), this.path) || (await joined(this))) {
      return false;
    }
    return startOrTell(this, () => startKernel.call(this));
  };

  SessionContext.prototype.restartKernel = async function (this: SessionContext) {
    if (this.session?.kernel?.status !== 'dead') {
      return restartKernel.call(this);
    }
    // JupyterLab does nothing.
    await startAgain(this).catch((error: Error) =>
      showErrorMessage(trans.__('The Kernel Was Not Restarted'), error)
    );
  };
}
