export const DIED = 'KernelDied';
/** What the agent says when a person has shut the kernel down or restarted it. */
export const SHUT_DOWN = 'the kernel was shut down';
export const RESTARTED = 'the kernel was restarted';
/** What the page says when somebody else has ended the kernel. */
export const SHUT_DOWN_BY_OTHERS = 'somebody else has shut the kernel down';
/** What the page says when the document has got another kernel. */
export const REPLACED = 'another kernel was chosen';

/** An output of nbformat. */
export type Death =
  | { output_type: 'error'; ename: string; evalue: string; traceback: string[] }
  | { output_type: 'stream'; name: 'stderr'; text: string };

/**
 * What a cell shows whose kernel died in it, or before its turn: the agent says so in the reply alone, of
 * which JupyterLab shows nothing. Null for all other replies.
 */
export function outputOfDeath(reply: { readonly content: object }): Death | null {
  const { status, ename, evalue } = reply.content as Record<string, unknown>;
  if (ename !== DIED) {
    return null;
  }
  if (status === 'aborted') {
    if (evalue === SHUT_DOWN || evalue === RESTARTED) {
      return null;
    }
    return notRun();
  }
  return status === 'error' ? died(String(evalue)) : null;
}

/** Whether a request did not run because a person, perhaps not the page's user, shut the kernel down. */
export function wasShutDown(reply: { readonly content: object }): boolean {
  const { status, ename, evalue } = reply.content as Record<string, unknown>;
  return status === 'aborted' && ename === DIED && evalue === SHUT_DOWN;
}

/**
 * Why a kernel has ended that was deleted: nobody is told of what they have done themselves.
 *
 * @param by - Who has shut it down; null if nobody has, or it is not known.
 * @param me - The user of the page.
 */
export function reasonOfShutDown(by: string | null, me: string | undefined): string {
  return by !== null && by === me ? SHUT_DOWN : SHUT_DOWN_BY_OTHERS;
}

/** What a cell shows whose kernel has ended in it. `reason` may be empty. */
export function died(reason: string): Death {
  if (reason === SHUT_DOWN || reason === SHUT_DOWN_BY_OTHERS) {
    // A person's action is no error.
    return plain('The kernel was shut down.');
  }
  if (reason === RESTARTED) {
    return plain('The kernel was restarted.');
  }
  if (reason === REPLACED) {
    return plain('Another kernel was chosen while this cell ran.');
  }
  const evalue = reason || 'the kernel ended while it ran this cell';
  return { output_type: 'error', ename: DIED, evalue, traceback: [`${DIED}: ${evalue}`] };
}

/** What a cell shows whose turn never came. */
export function notRun(): Death {
  return plain("Not run: the kernel ended before this cell's turn.");
}

function plain(line: string): Death {
  return { output_type: 'stream', name: 'stderr', text: `${line}\n` };
}
