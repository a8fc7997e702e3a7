import {
  IServerSettings,
  ServerConnection,
  ServiceManagerPlugin
} from '@jupyterlab/services';

import { fleetSocketClass, parsedOnce } from './fleetSocket.js';
import { heldFetch } from './heldFetch.js';
import type { SignIn } from './signIn.js';
import { ISignIn } from './signInPlugin.js';

/** Replaces JupyterLab's own settings; those of a server without the fleet are the stock ones. */
export const serverSettings: ServiceManagerPlugin<ServerConnection.ISettings> = {
  id: 'jupyter-fleet:server-settings',
  description: 'Requests and websockets that outlive a login, and output in bounds.',
  autoStart: true,
  provides: IServerSettings,
  requires: [ISignIn],
  activate: (_: null, signIn: SignIn | null) => {
    const stock = ServerConnection.makeSettings();
    if (!signIn) {
      return stock;
    }
    return ServerConnection.makeSettings({
      fetch: heldFetch((input, init) => stock.fetch.call(null, input, init), signIn),
      WebSocket: fleetSocketClass(signIn, stock.serializer),
      serializer: parsedOnce(stock.serializer)
    });
  }
};
