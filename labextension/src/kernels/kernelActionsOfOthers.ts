import { Notification } from '@jupyterlab/apputils';

import { pageUser } from '../user/pageUser.js';
import { followKernel } from './followKernel.js';
import { kernelPanelPlugin } from './kernelPanelPlugin.js';
import { NoticesOfActions } from './noticesOfActions.js';

const notices = new NoticesOfActions(Notification, () => pageUser()?.username ?? null);

/** Says who else has interrupted or shut down the kernel of an open notebook or console. */
export const kernelActionsOfOthers = kernelPanelPlugin(
  'jupyter-fleet:kernel-actions-of-others',
  'Says who else has interrupted or shut down a kernel.',
  (_, context, streams, trans) => {
    followKernel(context, streams, (_, stream) => notices.follow(context, stream, trans));
    context.disposed.connect(() => notices.close(context));
  }
);
