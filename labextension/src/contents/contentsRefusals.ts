import type { TranslationBundle } from '@jupyterlab/translation';

import { createInProjectText, isBesideProjects, projectStaysText } from '../user/besideProjects.js';
import { IFleetUser, isViewer } from '../user/fleetUser.js';
import { viewOnlyText } from '../user/viewOnlyText.js';

/**
 * Why a user may not create or save a file or folder at a path, in words for them.
 *
 * @returns null if nothing is known against it: the server decides.
 */
export function whyNotCreate(
  user: IFleetUser | null,
  path: string,
  trans: TranslationBundle
): string | null {
  if (user !== null && isBesideProjects(path)) {
    return createInProjectText(user, trans);
  }
  return whyOnlyLook(user, path, trans);
}

/** Why a user may not rename, move, delete or restore what is at a path; null as above. */
export function whyNotChange(
  user: IFleetUser | null,
  path: string,
  trans: TranslationBundle
): string | null {
  if (user !== null && isBesideProjects(path)) {
    return projectStaysText(trans);
  }
  return whyOnlyLook(user, path, trans);
}

/** Why a user may only look at what is at a path of a project; null if they may do more. */
export function whyOnlyLook(
  user: IFleetUser | null,
  path: string,
  trans: TranslationBundle
): string | null {
  return isViewer(user, path) ? viewOnlyText(path, trans) : null;
}
