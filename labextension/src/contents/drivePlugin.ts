import {
  Contents,
  Drive,
  IDefaultDrive,
  IServerSettings,
  ServerConnection,
  ServiceManagerPlugin
} from '@jupyterlab/services';

import { VersionedDrive } from './drive.js';
import { patientReads } from './patientReads.js';
import { inFleet } from '../user/pageUser.js';

/** Replaces JupyterLab's own drive; that of a server without the fleet is the stock one. */
export const drivePlugin: ServiceManagerPlugin<Contents.IDrive> = {
  id: 'jupyter-fleet:drive',
  description: 'Saves over the version that the page holds, or not at all.',
  autoStart: true,
  provides: IDefaultDrive,
  optional: [IServerSettings],
  activate: (_: null, settings: ServerConnection.ISettings | null) => {
    if (!inFleet()) {
      return new Drive({ serverSettings: settings ?? undefined });
    }
    const stock = settings ?? ServerConnection.makeSettings();
    const fetch = patientReads((input, init) => stock.fetch.call(null, input, init));
    return new VersionedDrive({ serverSettings: { ...stock, fetch } });
  }
};
