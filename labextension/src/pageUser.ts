import { PageConfig } from '@jupyterlab/coreutils';

import { IFleetUser, readFleetUser } from './fleetUser.js';

/** Whether this page is served by a lab of a fleet. */
export function inFleet(): boolean {
  return PageConfig.getOption('jupyterFleet') === 'true';
}

/** The user of this page; null if the server has not told. */
export function pageUser(): IFleetUser | null {
  return readFleetUser(PageConfig.getOption('fleetUser'));
}
