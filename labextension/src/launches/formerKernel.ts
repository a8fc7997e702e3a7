import type { Stage } from './launchStage.js';

/** What a kernel connection says of which kernel it is. */
export interface INamedKernel {
  readonly id: string;
  readonly name: string;
}

/** What a document's kernel was before, as far as that matters. */
export interface IKernelPast {
  /** The kernel that the document has again if the present one cannot be started. */
  readonly former: string | null;
  /** The kernel that did not come, in whose place the document has its former one again. */
  readonly missed: INamedKernel | null;
}

export const NO_PAST: IKernelPast = { former: null, missed: null };

/**
 * What the past of a document's kernel is after the document has got another one.
 *
 * @param left - The kernel that it had until now, and how far that had come.
 */
export function pastAfterChange(
  past: IKernelPast,
  left: INamedKernel | null,
  stage: Stage,
  next: INamedKernel | null
): IKernelPast {
  if (!left || !next) {
    return NO_PAST;
  }
  if (next.id === past.former) {
    return { former: null, missed: left };
  }
  // A kernel that did not run yet is nothing to go back to; the one before it still is.
  const ran = !(stage.is === 'launching' || (stage.is === 'dead' && past.former !== null));
  return { former: ran ? (stage.is === 'dead' ? null : left.id) : past.former, missed: null };
}

/**
 * What the past of a document's kernel is at a stage of the present one.
 *
 * @param former - The kernel that the document has again if the present one does not come.
 */
export function pastAtStage(past: IKernelPast, stage: Stage, former: string | null): IKernelPast {
  switch (stage.is) {
    case 'running':
      // The server ends the earlier one.
      return { ...past, former: null };
    case 'launching':
      return { ...past, former };
    case 'dead':
      // What can be started again is now this one, not the one that did not come before.
      return { former, missed: null };
    default:
      return past;
  }
}

/** A kernel that did not come, as a person is told of it. */
export interface IMissedKernel {
  /** Its name for people. */
  readonly title: string;
  /** Why it could not be started; null if a person canceled it. */
  readonly reason: string | null;
}

/**
 * What to tell of a kernel that did not come; null if a person has chosen the former one again.
 *
 * @param stage - How far it had come.
 * @param canceled - Whether a person has canceled it.
 */
export function missedKernel(title: string, stage: Stage, canceled: boolean): IMissedKernel | null {
  if (canceled) {
    return { title, reason: null };
  }
  // The list of kernels may be behind that of sessions: it says why a moment later.
  return stage.is === 'dead' ? { title, reason: stage.reason } : null;
}
