import { backOff } from '../page/backOff.js';

/** Close codes of kernels' websockets; see docs/protocols.md. */
export const BAD_MESSAGE = 1007;
export const SIGNED_OUT = 4401;
export const NOT_ALLOWED = 4403;
export const NO_SUCH_KERNEL = 4404;
export const NO_CURSOR = 4406;
const TOO_MANY = 4429;
const OWNER_CHANGES = 1012;
const TRY_AGAIN = 1013;

/** Times until the next attempt: the first is at once, then it is tried less and less often. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;
/** Whether a user may use a kernel again; the page also learns of that by itself. */
export const RIGHTS_PAUSE_MS = 10_000;
/**
 * Handshakes that may fail in a row before the server is asked why: a browser does not tell the page
 * with which status a websocket was refused.
 */
export const MOST_REFUSED = 3;

/** What follows from the end of a connection. */
export type Outcome =
  /** Try again: the other end has gone, or says why it cannot serve this. */
  | { readonly then: 'again'; readonly why: 'network' | 'owner' | 'unreachable' }
  /** When the user has signed in. */
  | { readonly then: 'signIn' }
  /** When the user has the right. */
  | { readonly then: 'rights' }
  /** Without a cursor: the kernel's agent is of the version before. */
  | { readonly then: 'plain' }
  /** Never: the kernel does not exist. */
  | { readonly then: 'end' };

export function outcomeOf(code: number): Outcome {
  switch (code) {
    case NO_SUCH_KERNEL:
      return { then: 'end' };
    case NO_CURSOR:
      return { then: 'plain' };
    case SIGNED_OUT:
      return { then: 'signIn' };
    case NOT_ALLOWED:
      return { then: 'rights' };
    case OWNER_CHANGES:
      return { then: 'again', why: 'owner' };
    case TRY_AGAIN:
    case TOO_MANY:
      return { then: 'again', why: 'unreachable' };
    default:
      return { then: 'again', why: 'network' };
  }
}

/** The outcome that an HTTP status of the kernel's model stands for; null if it says nothing. */
export function codeOfStatus(status: number): number | null {
  return { 401: SIGNED_OUT, 403: NOT_ALLOWED, 404: NO_SUCH_KERNEL }[status] ?? null;
}

/** Milliseconds before the next attempt, after as many that failed; `random` is from 0 to 1. */
export function pauseBefore(failed: number, random: number): number {
  return failed === 0 ? 0 : backOff(failed - 1, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, random);
}
