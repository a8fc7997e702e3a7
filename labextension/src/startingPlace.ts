import { IFleetUser, isViewer, mayEdit, projectOf } from './fleetUser.js';

/** What somebody can begin with at a folder. */
export type StartingPlace =
  /** Something can be created here. */
  | 'here'
  /** Beside the projects nothing can be created, but in one of them. */
  | 'projects'
  /** In a project of which this user is a viewer. */
  | 'view only'
  /** This user is in no project. */
  | 'nowhere';

/** What can be begun at a path of the file browser. */
export function startingPlace(user: IFleetUser | null, path: string): StartingPlace {
  if (user === null || (projectOf(path) && mayEdit(user, path))) {
    return 'here';
  }
  if (user.projects.size === 0) {
    return 'nowhere';
  }
  return isViewer(user, path) ? 'view only' : 'projects';
}
