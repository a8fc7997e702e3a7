import { IServerSettings, ServerConnection, ServiceManagerPlugin } from '@jupyterlab/services';

import { allKernels } from './launches/allKernels.js';
import { asyncStarts } from './launches/asyncStarts.js';
import { launchCancels } from './launches/launchCancels.js';
import { fleetSocketClass, parsedOnce } from './stream/fleetSocket.js';
import { withRestarts } from './stream/restarts.js';
import { IStreams, Streams } from './stream/streams.js';
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
    return ServerConnection.makeSettings({
      fetch: withRestarts(allKernels(launchCancels(asyncStarts(patientReads(held)))), kernel =>
        streams.dropPending(kernel)
      ),
      WebSocket: fleetSocketClass(signIn, streams),
      serializer: parsedOnce(stock.serializer)
    });
  }
};
