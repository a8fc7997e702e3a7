import type { ISessionContext } from '@jupyterlab/apputils';
import type { Session } from '@jupyterlab/services';

/** What joining a session needs of JupyterLab's session context. */
export type JoiningContext = Pick<
  ISessionContext,
  'isDisposed' | 'kernelPreference' | 'path' | 'session'
> & {
  readonly sessionManager: Pick<Session.IManager, 'connectTo' | 'refreshRunning' | 'running'>;
};

/**
 * Connect a document that has no session to the one that the server has at its path.
 *
 * JupyterLab looks for it only once, when the document is opened. A document whose user could not
 * use the kernel for a while would get a second session, and nobody could end the first kernel.
 *
 * @returns whether the document has a kernel now.
 */
export async function joinSession(context: JoiningContext): Promise<boolean> {
  const { sessionManager } = context;
  if (!context.session) {
    await sessionManager.refreshRunning();
    const model = [...sessionManager.running()].find(({ path }) => path === context.path);
    // Read only now: a change of roles changes the preference, and whoever else looked for the
    // session may have been faster.
    const mayJoin = !context.session && context.kernelPreference.shouldReuse !== false;
    if (model && mayJoin && !context.isDisposed) {
      const inside = context as unknown as {
        _handleNewSession?: (session: Session.ISessionConnection) => unknown;
      };
      inside._handleNewSession?.(sessionManager.connectTo({ model }));
    }
  }
  return !!context.session?.kernel;
}
