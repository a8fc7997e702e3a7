import type { ISessionContext } from '@jupyterlab/apputils';
import { KernelAPI, ServerConnection, type Session } from '@jupyterlab/services';

/**
 * Start a document's dead kernel again, with the same options.
 *
 * A connection that heard of its kernel's death can be used no more: the document gets another one
 * to the same kernel. If the server has forgotten the kernel, the document gets a new one.
 *
 * @throws if the server refuses.
 */
export async function startAgain(context: ISessionContext): Promise<void> {
  const { session } = context;
  const kernel = session?.kernel;
  if (!session || !kernel) {
    await context.changeKernel({ name: context.prevKernelName || context.kernelPreference.name });
    return;
  }
  try {
    await KernelAPI.restartKernel(kernel.id, session.serverSettings);
  } catch (error) {
    if (error instanceof ServerConnection.ResponseError && error.response.status === 404) {
      await session.changeKernel({ name: kernel.name });
      return;
    }
    throw error;
  }
  await reconnect(context);
}

/** Connect a document to its session once more, if its kernel is one that it heard die. */
export async function reconnect(context: ISessionContext): Promise<void> {
  const { sessionManager } = context as unknown as { sessionManager: Session.IManager };
  await sessionManager.refreshRunning();
  const model = [...sessionManager.running()].find(({ id }) => id === context.session?.id);
  if (model && !context.isDisposed && context.session?.kernel?.status === 'dead') {
    const inside = context as unknown as {
      _handleNewSession?: (session: Session.ISessionConnection) => unknown;
    };
    inside._handleNewSession?.(sessionManager.connectTo({ model }));
  }
}
