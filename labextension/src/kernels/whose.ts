/** The user and project of a kernel, from its model. */
export interface IKernelOwner {
  readonly id: string;
  readonly username?: string;
  readonly project?: string;
  readonly path?: string;
  /** The person who has it alone: owners of a project are told of those of others. */
  readonly only_for?: string | null;
}

/** The creator and kernel of a session, from its model. */
export interface ISessionOwner {
  readonly id: string;
  readonly path: string;
  readonly name: string;
  readonly username?: string;
  readonly project?: string;
  readonly kernel: IKernelOwner | null;
}

/** The kernel to be ended, as named in a question. */
export interface IKernelName {
  /** The notebook's name; empty if no document uses the kernel. */
  readonly notebook: string;
  readonly project: string;
  /** The user who started it; empty if the server does not say. */
  readonly person: string;
}

/** Whether a kernel is of this user: they started it. */
export function isMyKernel(kernel: IKernelOwner, me: string): boolean {
  return !!me && kernel.username === me;
}

/** Whether a kernel is another person's alone: this user may end it, and nothing else. */
export function isOfAnotherAlone({ only_for: person }: IKernelOwner, me: string): boolean {
  return !!person && person !== me;
}

/** Whether a session is of this user: they made it, or they started its kernel. */
export function isMySession(session: ISessionOwner, me: string): boolean {
  return (
    !!me &&
    ((session.username ?? session.kernel?.username) === me ||
      (session.kernel !== null && isMyKernel(session.kernel, me)))
  );
}

/** Whether another person started the session's kernel, as far as the server says who did. */
export function startedByOther(session: ISessionOwner, me: string): boolean {
  const person = session.kernel?.username ?? session.username;
  return person !== undefined && person !== me;
}

/** How to name a kernel that is ended by its session. */
export function nameOfSession(session: ISessionOwner): IKernelName {
  return {
    notebook: session.name || baseName(session.path),
    project: session.project ?? session.kernel?.project ?? '',
    person: session.username ?? session.kernel?.username ?? ''
  };
}

/** How to name a kernel; `sessions` are all that run. */
export function nameOfKernel(kernel: IKernelOwner, sessions: Iterable<ISessionOwner>): IKernelName {
  const used = [...sessions].find(session => session.kernel?.id === kernel.id);
  return {
    notebook: used ? nameOfSession(used).notebook : baseName(kernel.path ?? ''),
    project: kernel.project ?? used?.project ?? '',
    person: kernel.username ?? used?.username ?? ''
  };
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
