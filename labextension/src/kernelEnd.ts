import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { NotebookPanel } from '@jupyterlab/notebook';
import { Kernel, KernelAPI, KernelMessage, ServerConnection } from '@jupyterlab/services';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

import { Notice } from './notice.js';
import { inFleet } from './pageUser.js';

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
    const trans = (translator ?? nullTranslator).load('jupyter_fleet');
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (panel: NotebookPanel, context: DocumentRegistry.Context) => {
        const notice = new Notice('warning', trans.__('Close'));
        notice.hide();
        panel.contentHeader.addWidget(notice);
        watch(context.sessionContext, notice, app.serviceManager.serverSettings, trans);
      }
    });
  }
};

function watch(
  context: ISessionContext,
  notice: Notice,
  settings: ServerConnection.ISettings,
  trans: TranslationBundle
): void {
  context.iopubMessage.connect((_, message) => {
    const reason = reasonOfRestart(message);
    if (reason) {
      notice.say(
        trans.__('%1. It was started again: its variables are gone.', sentence(reason))
      );
    }
  });
  context.statusChanged.connect(async (_, status) => {
    const kernel = context.session?.kernel;
    if (status === 'dead' && kernel) {
      const reason = await reasonOfDeath(kernel, settings);
      if (reason && !notice.isDisposed) {
        notice.say(
          trans.__('%1. Restart the kernel or run a cell to start it again.', sentence(reason))
        );
      }
    }
  });
  context.kernelChanged.connect((_, change) => {
    // A new kernel; a restart that a person asked for says so with the same one.
    if (change.newValue) {
      notice.hide();
    }
  });
}

/** Why a kernel is started again by itself; empty if a message does not say so. */
function reasonOfRestart(message: KernelMessage.IMessage): string {
  if (message.header.msg_type !== 'status') {
    return '';
  }
  const { execution_state, reason } = message.content as {
    execution_state: string;
    reason?: unknown;
  };
  return execution_state === 'restarting' && typeof reason === 'string' ? reason : '';
}

/** Why a kernel is dead; empty if it was ended by somebody, or nobody can tell. */
async function reasonOfDeath(
  kernel: Kernel.IKernelConnection,
  settings: ServerConnection.ISettings
): Promise<string> {
  if (kernel.model.reason) {
    return kernel.model.reason;
  }
  try {
    const model = await KernelAPI.getKernelModel(kernel.id, settings);
    return model?.reason ?? '';
  } catch {
    return '';
  }
}

/** A reason as the beginning of a text: with a capital, without a full stop. */
function sentence(reason: string): string {
  const text = reason.trim().replace(/\.$/, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
