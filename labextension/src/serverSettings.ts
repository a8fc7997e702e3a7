import { IServerSettings, ServerConnection, ServiceManagerPlugin } from '@jupyterlab/services';

import { allKernels } from './launches/allKernels.js';
import { asyncStarts } from './launches/asyncStarts.js';
import { launchCancels } from './launches/launchCancels.js';
import { ownStarts } from './launches/ownStarts.js';
import { fleetSocketClass, parsedOnce } from './stream/fleetSocket.js';
import { withRestarts } from './stream/restarts.js';
import { IStreams, Streams } from './stream/streams.js';
import { pageUser } from './user/pageUser.js';
import { patientReads } from './user/patientReads.js';
import { heldFetch } from './user/signInFetch.js';
import type { SignIn } from './user/signIn.js';
import { ISignIn } from './user/signInPlugin.js';

/** Replaces JupyterLab's own settings; those of a server without the fleet are the stock ones. */
export const serverSettings: ServiceManagerPlugin<ServerConnection.ISettings> = {
  id: 'jupyter-fleet:server-settings',
  description: 'Requests that outlive a login, and kernels that outlive a connection.',
  autoStart: true,
  provides: IServerSettings,
  requires: [ISignIn, IStreams],
  activate: (_: null, signIn: SignIn | null, streams: Streams | null) => {
    const stock = ServerConnection.makeSettings();
    if (!signIn || !streams) {
      return stock;
    }
    const held = heldFetch((input, init) => stock.fetch.call(null, input, init), signIn);
    const starts = ownStarts(asyncStarts(patientReads(held)), () => pageUser()?.username ?? null);
    return ServerConnection.makeSettings({
      fetch: withRestarts(allKernels(launchCancels(starts)), kernel => streams.dropPending(kernel)),
      WebSocket: fleetSocketClass(signIn, streams),
      serializer: parsedOnce(stock.serializer)
    });
  }
};
