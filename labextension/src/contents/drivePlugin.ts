import {
  Contents,
  Drive,
  IDefaultDrive,
  IServerSettings,
  ServerConnection,
  ServiceManagerPlugin
} from '@jupyterlab/services';

import { VersionedDrive } from './drive.js';
import { inFleet } from '../user/pageUser.js';

/** Replaces JupyterLab's own drive; that of a server without the fleet is the stock one. */
export const drivePlugin: ServiceManagerPlugin<Contents.IDrive> = {
  id: 'jupyter-fleet:drive',
  description: 'Saves over the version that the page holds, or not at all.',
  autoStart: true,
  provides: IDefaultDrive,
  optional: [IServerSettings],
  activate: (_: null, settings: ServerConnection.ISettings | null) => {
    const options = { serverSettings: settings ?? undefined };
    return inFleet() ? new VersionedDrive(options) : new Drive(options);
  }
};
