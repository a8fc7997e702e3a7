import { PageConfig } from '@jupyterlab/coreutils';
import { ISignal, Signal } from '@lumino/signaling';

import { IFleetUser, IUserModel, readFleetUser, withRolesOf } from './fleetUser.js';

/** Whether this page is served by a lab of a fleet. */
export function inFleet(): boolean {
  return PageConfig.getOption('jupyterFleet') === 'true';
}

/** Whether the operator lets no output and no widget act as the user of this page. */
export function framesAllOutputs(): boolean {
  return PageConfig.getOption('fleetFramesAllOutputs') === 'true';
}

let user: IFleetUser | null | undefined;
const changed = new Signal<object, void>({});

/** Emitted when the user of this page has other roles than before. */
export const rolesChanged: ISignal<object, void> = changed;

/** The user of this page, with the roles last heard of; null if the server has not told. */
export function pageUser(): IFleetUser | null {
  user ??= readFleetUser(PageConfig.getOption('fleetUser'));
  return user;
}

/** Adopt what a server says about the signed-in user: a new login may have other roles. */
export function learnRoles(model: IUserModel): void {
  const known = pageUser();
  user = withRolesOf(known, model);
  if (user !== known) {
    changed.emit();
  }
}
