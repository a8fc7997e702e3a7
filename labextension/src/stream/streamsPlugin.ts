import type { ServiceManagerPlugin } from '@jupyterlab/services';

import { inFleet } from '../user/pageUser.js';
import { IStreams, Streams } from './streams.js';

export const streamsPlugin: ServiceManagerPlugin<Streams | null> = {
  id: 'jupyter-fleet:streams',
  description: 'What this page and its kernels say to each other outlives connections.',
  autoStart: true,
  provides: IStreams,
  activate: () => (inFleet() ? new Streams() : null)
};
