import { isOnlyMine } from '../outputs/people.js';
import type { KernelStream } from '../stream/kernelStream.js';

/** A kernel's model, as far as it says how many pages use it. */
export interface IUsedKernel {
  readonly id: string;
  readonly only_for?: string | null;
  readonly connections?: number;
}

/** What this page has of a connection to a kernel. */
export type OwnConnection = Pick<KernelStream, 'kernelId'> & {
  readonly people: Pick<KernelStream['people'], 'now' | 'me'>;
};

/**
 * Whether somebody else may use a kernel now: pages other than this one are connected to it, and it is
 * not known that this page's user alone has run code there.
 *
 * @param connections - All that this page has, to whichever kernels.
 */
export function isUsedElsewhere(
  kernel: IUsedKernel,
  connections: Iterable<OwnConnection>
): boolean {
  const own = [...connections].filter(({ kernelId }) => kernelId === kernel.id);
  if (kernel.only_for || (kernel.connections ?? 0) <= own.length) {
    return false;
  }
  return !own.some(({ people }) => isOnlyMine(people.now, people.me, null));
}
