/** Roles in a project; each includes those before it. */
export type Role = 'viewer' | 'editor' | 'owner';

/** The user of this page, as the server reported. */
export interface IFleetUser {
  readonly username: string;
  readonly displayName: string;
  /** The projects in order of their names, with the role in each. */
  readonly projects: ReadonlyMap<string, Role>;
}

/** The user as the server describes them: in the page's configuration and in `/api/me`. */
export interface IUserModel {
  username: string;
  display_name: string;
  /** Roles by project; servers of earlier versions leave them out of `/api/me`. */
  projects?: Record<string, string>;
}

const ROLES: readonly string[] = ['viewer', 'editor', 'owner'];

/**
 * Read the `fleetUser` of the page's configuration.
 *
 * @param option - JSON, or an empty string where there is none.
 * @returns null if the page does not know its user.
 */
export function readFleetUser(option: string): IFleetUser | null {
  return option ? userOf(JSON.parse(option) as IUserModel) : null;
}

function userOf({ username, display_name, projects }: IUserModel): IFleetUser {
  return {
    username,
    displayName: display_name || username,
    projects: new Map(
      Object.entries(projects ?? {}).filter((entry): entry is [string, Role] =>
        ROLES.includes(entry[1])
      )
    )
  };
}

/**
 * The page's user with the roles that the server now reports.
 *
 * @returns `user` itself if there is nothing new, or if the model is of another person.
 */
export function withRolesOf(user: IFleetUser | null, model: IUserModel): IFleetUser | null {
  if (user === null || model.username !== user.username || !model.projects) {
    return user;
  }
  const found = userOf(model);
  const same =
    found.projects.size === user.projects.size &&
    [...found.projects].every(([project, role]) => user.projects.get(project) === role);
  return same ? user : { ...user, projects: found.projects };
}

/** The project of a path: its first folder; empty for the root. */
export function projectOf(path: string): string {
  return path.split('/').find(name => name !== '') ?? '';
}

/**
 * Whether this user may run code and change files at a path.
 *
 * A page that does not know its user leaves the decision to the server.
 */
export function mayEdit(user: IFleetUser | null, path: string): boolean {
  if (user === null) {
    return true;
  }
  const role = user.projects.get(projectOf(path));
  return role === 'editor' || role === 'owner';
}

/** Whether this user is a viewer at a path and may only look. */
export function isViewer(user: IFleetUser | null, path: string): boolean {
  return user?.projects.get(projectOf(path)) === 'viewer';
}

/** Whether a path is inside a project in which this user has no role. */
export function hasNoAccess(user: IFleetUser | null, path: string): boolean {
  const [project, inside] = path.split('/').filter(name => name !== '');
  return user !== null && inside !== undefined && !user.projects.has(project);
}

/** Whether it is known that this user may not run or change what is at a path. */
export function isBarred(user: IFleetUser | null, path: string): boolean {
  return isViewer(user, path) || hasNoAccess(user, path);
}
