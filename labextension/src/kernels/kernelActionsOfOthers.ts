import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { type ISessionContext, Notification } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import { fleetBundle } from '../page/fleetBundle.js';
import type { KernelStream } from '../stream/kernelStream.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { inFleet, pageUser } from '../user/pageUser.js';
import { followKernel } from './followKernel.js';
import { watchKernelPanels } from './kernelPanels.js';
import { whoShutDown } from './whoShutDown.js';

/** Says who else has interrupted or shut down the kernel of an open notebook or console. */
export const kernelActionsOfOthers: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:kernel-actions-of-others',
  description: 'Says who else has interrupted or shut down a kernel.',
  autoStart: true,
  requires: [IStreams],
  optional: [IConsoleTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    streams: Streams | null,
    consoles: IConsoleTracker | null,
    translator: ITranslator | null
  ) => {
    if (!inFleet() || !streams) {
      return;
    }
    const trans = fleetBundle(translator);
    watchKernelPanels(app, consoles, (_, context) => {
      followKernel(context, streams, (_, stream) => follow(stream, context, trans));
    });
  }
};

function follow(stream: KernelStream, context: ISessionContext, trans: TranslationBundle): void {
  const tell = (by: string | null, text: (by: string, name: string, at: string) => string) => {
    if (by !== null && by !== pageUser()?.username && !context.isDisposed) {
      const at = new Date().toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
      const name = context.name || context.path;
      Notification.info(text(by, name, at), { autoClose: false });
    }
  };
  stream.interrupted.connect((_, by) => {
    tell(by, (by, name, at) => trans.__('%1 interrupted the kernel of %2 at %3.', by, name, at));
  });
  stream.stateChanged.connect((_, state) => {
    if (state.is === 'ended') {
      tell(whoShutDown(state.reason), (by, name, at) =>
        trans.__(
          '%1 shut down the kernel of %2 at %3. Its variables are gone; run a cell to start another one.',
          by,
          name,
          at
        )
      );
    }
  });
}
