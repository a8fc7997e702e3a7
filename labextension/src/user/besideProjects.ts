import type { TranslationBundle } from '@jupyterlab/translation';

import type { IFleetUser } from './fleetUser.js';

/** Whether what is at a path is not inside a project: a project itself, or something beside them. */
export function isBesideProjects(path: string): boolean {
  return path.split('/').filter(name => name !== '').length < 2;
}

/** Whether this user may create something in any project. */
export function mayCreateSomewhere(user: IFleetUser): boolean {
  return [...user.projects.values()].some(role => role !== 'viewer');
}

/** The message for a user who tries to create something outside the projects. */
export function createInProjectText(user: IFleetUser, trans: TranslationBundle): string {
  if (user.projects.size === 0) {
    return trans.__(
      'You are in no project yet. Ask whoever manages your projects to add you to one, then sign in again.'
    );
  }
  return mayCreateSomewhere(user)
    ? trans.__('Files and folders are created inside a project: open one of your projects first.')
    : trans.__(
        'You can look at files but not create anything: you are a viewer of all your projects. Ask an owner to make you an editor.'
      );
}

/** The message for a user who tries to rename, move or delete a project. */
export function projectStaysText(trans: TranslationBundle): string {
  return trans.__('Projects are not renamed or deleted here: ask whoever manages your projects.');
}
