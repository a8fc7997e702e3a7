import { PageConfig } from '@jupyterlab/coreutils';
import { IServerSettings, ServerConnection, ServiceManagerPlugin } from '@jupyterlab/services';

import { asyncStarts } from './launches/asyncStarts.js';
import { launchCancels } from './launches/launchCancels.js';
import { fleetSocketClass, parsedOnce } from './stream/fleetSocket.js';
import { Fetch, heldFetch } from './user/signInFetch.js';
import type { SignIn } from './user/signIn.js';
import { ISignIn } from './user/signInPlugin.js';

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
    const held = heldFetch((input, init) => stock.fetch.call(null, input, init), signIn);
    const fetch = launchCancels(asyncStarts(held));
    const untracked = JSON.parse(
      PageConfig.getOption('untracked_message_types') || '[]'
    ) as string[];
    return ServerConnection.makeSettings({
      fetch,
      WebSocket: fleetSocketClass(signIn, stock.serializer, stateAt(fetch), untracked),
      serializer: parsedOnce(stock.serializer)
    });
  }
};

/** Asks for the `execution_state` of a kernel, by the URL of its model; null if nobody can tell. */
function stateAt(fetch: Fetch): (url: string) => Promise<string | null> {
  return async url => {
    try {
      const response = await fetch(url, { cache: 'no-store' });
      if (!response.ok) {
        return null;
      }
      const kernel = (await response.json()) as { execution_state: string };
      return kernel.execution_state;
    } catch {
      return null;
    }
  };
}
