import { type ISessionContext, Notification } from '@jupyterlab/apputils';
import type { TranslationBundle } from '@jupyterlab/translation';

import type { KernelStream } from '../stream/kernelStream.js';
import { pageUser } from '../user/pageUser.js';
import { followKernel } from './followKernel.js';
import { kernelPanelPlugin } from './kernelPanelPlugin.js';

/** Says who else has interrupted or shut down the kernel of an open notebook or console. */
export const kernelActionsOfOthers = kernelPanelPlugin(
  'jupyter-fleet:kernel-actions-of-others',
  'Says who else has interrupted or shut down a kernel.',
  (_, context, streams, trans) => {
    followKernel(context, streams, (_, stream) => follow(stream, context, trans));
  }
);

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
      tell(state.by, (by, name, at) =>
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
