import { IFleetUser, isViewer, mayEdit, projectOf } from './fleetUser.js';

/** What a user can start with in a folder. */
export type StartingPlace =
  /** Something can be created here. */
  | 'here'
  /** Nothing can be created here, but in one of the projects. */
  | 'projects'
  /** In a project of which this user is a viewer. */
  | 'view only'
  /** This user is in no project. */
  | 'nowhere';

/** What the user can start with at a path of the file browser. */
export function startingPlace(user: IFleetUser | null, path: string): StartingPlace {
  if (user === null || (projectOf(path) && mayEdit(user, path))) {
    return 'here';
  }
  if (user.projects.size === 0) {
    return 'nowhere';
  }
  return isViewer(user, path) ? 'view only' : 'projects';
}
