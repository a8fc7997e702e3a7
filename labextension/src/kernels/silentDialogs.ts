import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';

import type { KernelPanel } from './kernelPanels.js';
import { tellRefusal } from './refusedStart.js';

/**
 * Keep JupyterLab from telling in dialogs what stands above the document: that its kernel ended, or
 * could not be started. Neither dialog has a switch.
 *
 * @param refused - Called with the server's message when a kernel could not be started.
 */
export function silenceDialogs(
  panel: KernelPanel,
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
        tellRefusal(context);
        refused(message);
      }
      return Promise.resolve();
    };
  }
}
