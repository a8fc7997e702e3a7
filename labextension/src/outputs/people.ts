/** Who has used a process of a kernel, as its agent says. */
export interface IPeople {
  /** Which of the kernel's processes: 1, 2, …; 0 if nobody says. */
  readonly process: number;
  /** Their user names; null for people whose names nobody knows. */
  readonly users: readonly (string | null)[];
}

/** Of a kernel whose agent, gateway or lab is of the version before: anybody may have used it. */
export const UNKNOWN: IPeople = { process: 0, users: [null] };

/**
 * Whether what a process says is the user's own: nobody else has used it, or only people whom the user
 * trusts there. Code that somebody has run there may put scripts into all that comes later.
 *
 * @param me - The user of this page; null if the page does not know who that is.
 * @param trusted - Whom the user trusts, in which process; null for nobody.
 */
export function isOnlyMine(people: IPeople, me: string | null, trusted: IPeople | null): boolean {
  const known = trusted?.process === people.process ? trusted.users : [];
  return people.users.every(user => (user !== null && user === me) || known.includes(user));
}

/** The people as an agent or gateway describes them. */
export function readPeople(said: object): IPeople {
  const { process, users } = said as { process?: unknown; users?: unknown };
  return typeof process === 'number' && Array.isArray(users)
    ? { process, users: users.map(user => (typeof user === 'string' ? user : null)) }
    : UNKNOWN;
}
