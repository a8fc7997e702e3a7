import type { ISessionContext } from '@jupyterlab/apputils';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

/**
 * Keep JupyterLab from telling in dialogs what stands above the notebook: that its kernel ended, or
 * could not be started. Neither dialog has a switch.
 *
 * @param refused - Called with the server's message when a kernel could not be started.
 */
export function silenceDialogs(
  panel: NotebookPanel,
  context: ISessionContext,
  refused: (message: string) => void
): void {
  const { _onSessionStatusChanged: tellRestart } = panel as unknown as {
    _onSessionStatusChanged?: (context: ISessionContext, status: Kernel.Status) => void;
  };
  if (tellRestart) {
    context.statusChanged.disconnect(tellRestart, panel);
  }
  const inside = context as unknown as {
    _displayKernelError?: (message: string, traceback: string) => Promise<void>;
  };
  if (inside._displayKernelError) {
    inside._displayKernelError = message => {
      if (context.session?.kernel?.status !== 'dead') {
        refused(message);
      }
      return Promise.resolve();
    };
  }
}
