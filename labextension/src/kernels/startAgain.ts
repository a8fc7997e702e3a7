import type { ISessionContext } from '@jupyterlab/apputils';
import { type Kernel, KernelAPI, ServerConnection, type Session } from '@jupyterlab/services';
import { type ISignal, Signal } from '@lumino/signaling';

import type { INamedKernel } from '../launches/formerKernel.js';
import { type IStageModel, stageOfModel, UNKNOWN } from '../launches/launchStage.js';

const starting = new WeakSet<ISessionContext>();
const changed = new Signal<object, ISessionContext>({});

/** The kernel of a document is being started again, or is not any more. */
export const startsAgainChanged: ISignal<object, ISessionContext> = changed;

/** Whether the dead kernel of a document is being started again. */
export function startsAgain(context: ISessionContext): boolean {
  return starting.has(context);
}

/**
 * Start a document's dead kernel again, with the same options.
 *
 * A connection that heard of its kernel's death can be used no more: the document gets another one
 * to the same kernel. If the server has forgotten the kernel, the document gets a new one.
 *
 * @throws if the server refuses.
 */
export async function startAgain(context: ISessionContext): Promise<void> {
  starting.add(context);
  changed.emit(context);
  try {
    await start(context);
  } finally {
    starting.delete(context);
    changed.emit(context);
  }
}

async function start(context: ISessionContext): Promise<void> {
  const { session } = context;
  const kernel = session?.kernel;
  if (!session || !kernel) {
    await context.changeKernel({ name: context.prevKernelName || context.kernelPreference.name });
    return;
  }
  try {
    await restartIfDead(kernel.id, session.serverSettings);
  } catch (error) {
    if (error instanceof ServerConnection.ResponseError && error.response.status === 404) {
      await session.changeKernel({ name: kernel.name });
      return;
    }
    throw error;
  }
  await reconnect(context);
}

/**
 * Start a kernel again, with the same options, that did not come in place of a document's present one.
 *
 * @throws if the server refuses.
 */
export async function startMissed(context: ISessionContext, missed: INamedKernel): Promise<void> {
  const { session } = context;
  if (!session) {
    await context.changeKernel({ name: missed.name });
    return;
  }
  let model: Partial<Kernel.IModel> = { id: missed.id };
  try {
    await restartIfDead(missed.id, session.serverSettings);
  } catch (error) {
    if (!(error instanceof ServerConnection.ResponseError) || error.response.status !== 404) {
      throw error;
    }
    // It was canceled, and the server has forgotten it.
    model = { name: missed.name };
  }
  await session.changeKernel(model);
}

/** Restart a kernel, unless somebody has started it again since the page heard of its death. */
async function restartIfDead(id: string, settings: ServerConnection.ISettings): Promise<void> {
  const model: IStageModel | undefined = await KernelAPI.getKernelModel(id, settings);
  if (!model || stageOfModel(UNKNOWN, model).is === 'dead') {
    await KernelAPI.restartKernel(id, settings);
  }
}

/** Connect a document to its session once more, if its kernel is one that it heard die. */
export async function reconnect(context: ISessionContext): Promise<void> {
  const { sessionManager } = context as unknown as { sessionManager: Session.IManager };
  // The page takes the kernel for dead until its list of kernels says otherwise.
  await Promise.all([sessionManager.refreshRunning(), context.kernelManager?.refreshRunning()]);
  const model = [...sessionManager.running()].find(({ id }) => id === context.session?.id);
  if (model && !context.isDisposed && context.session?.kernel?.status === 'dead') {
    const inside = context as unknown as {
      _handleNewSession?: (session: Session.ISessionConnection) => unknown;
    };
    inside._handleNewSession?.(sessionManager.connectTo({ model }));
  }
}
