import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel, KernelMessage, ServiceManager } from '@jupyterlab/services';
import { ITranslator, TranslationBundle } from '@jupyterlab/translation';

import { fleetBundle } from '../page/fleetBundle.js';
import { Notice } from '../page/notice.js';
import { inFleet } from '../user/pageUser.js';

/** Says above a notebook why its kernel has ended. */
export const kernelEnd: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:kernel-end',
  description: 'Shows why a kernel has ended.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    if (!inFleet()) {
      return;
    }
    const trans = fleetBundle(translator);
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: DocumentRegistry.Context) => {
        const notice = new Notice('warning', trans.__('Close'));
        notice.hide();
        panel.contentHeader.addWidget(notice);
        silenceDialogs(panel, context.sessionContext);
        watch(context.sessionContext, notice, app.serviceManager, trans);
      }
    });
  }
};

/**
 * Keep JupyterLab from telling about the kernel's end in dialogs as well.
 *
 * Neither has a switch. The dialog about a kernel that cannot be started stays.
 */
function silenceDialogs(panel: NotebookPanel, context: ISessionContext): void {
  const { _onSessionStatusChanged: tellRestart } = panel as unknown as {
    _onSessionStatusChanged?: (context: ISessionContext, status: Kernel.Status) => void;
  };
  if (tellRestart) {
    context.statusChanged.disconnect(tellRestart, panel);
  }
  const inside = context as unknown as {
    _displayKernelError?: (message: string, traceback: string) => Promise<void>;
  };
  const tellError = inside._displayKernelError;
  if (tellError) {
    inside._displayKernelError = async (message, traceback) => {
      if (context.session?.kernel?.status !== 'dead') {
        await tellError.call(context, message, traceback);
      }
    };
  }
}

function watch(
  context: ISessionContext,
  notice: Notice,
  services: ServiceManager.IManager,
  trans: TranslationBundle
): void {
  const startedAgain = (reason: string) =>
    notice.say(trans.__('%1. The kernel was restarted: its variables are gone.', sentence(reason)));
  const dead = (reason: string) =>
    notice.say(trans.__('%1. Restart the kernel to go on.', sentence(reason)));

  // The kernel's messages tell first: a connection that hears of its kernel's death ends there.
  const heard = (_: unknown, { msg }: Kernel.IAnyMessageArgs) => {
    const said = endIn(msg);
    if (said) {
      const reason = said.reason || trans.__('The kernel ended unexpectedly');
      (said.state === 'dead' ? dead : startedAgain)(reason);
    }
  };
  const listen = (kernel: Kernel.IKernelConnection | null | undefined) => {
    // It may have died before this page came to it.
    const model = [...services.kernels.running()].find(({ id }) => id === kernel?.id);
    if (model?.execution_state === 'dead' && model.reason) {
      dead(model.reason);
    }
    kernel?.anyMessage.connect(heard);
  };
  listen(context.session?.kernel);
  context.kernelChanged.connect((_, { oldValue, newValue }) => {
    if (newValue) {
      notice.hide();
    }
    // After a restart that a person asked for it is the same connection.
    if (newValue !== oldValue) {
      oldValue?.anyMessage.disconnect(heard);
      listen(newValue);
    }
  });
  context.statusChanged.connect((_, status) => {
    const kernel = context.session?.kernel;
    if (status === 'dead' && kernel?.model.reason) {
      dead(kernel.model.reason);
    }
  });
}

/**
 * The state and the reason in a message that tells of a kernel's end; null in all others.
 *
 * Stock gateways give no reason: it is empty then.
 */
function endIn(
  message: KernelMessage.IMessage
): { state: 'restarting' | 'dead'; reason: string } | null {
  if (message.header.msg_type !== 'status') {
    return null;
  }
  const { execution_state: state, reason } = message.content as {
    execution_state: string;
    reason?: unknown;
  };
  return state === 'restarting' || state === 'dead'
    ? { state, reason: typeof reason === 'string' ? reason : '' }
    : null;
}

/** A reason as the beginning of a text: with a capital, without a full stop. */
function sentence(reason: string): string {
  const text = reason.trim().replace(/\.$/, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
