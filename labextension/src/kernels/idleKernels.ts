/** A kernel as the server lists it, as far as its end for being idle goes (docs/protocols.md). */
export interface IListedKernel {
  id: string;
  cull_at?: string | null;
  cull_warning_at?: string | null;
}

/** A kernel that will be ended, and when (milliseconds since the epoch). */
export interface IEnding {
  id: string;
  at: number;
}

/** The kernels among `mine` about which a page must warn at the time `now`. */
export function toWarnOf(
  kernels: Iterable<IListedKernel>,
  mine: ReadonlySet<string>,
  now: number
): IEnding[] {
  const endings: IEnding[] = [];
  for (const kernel of kernels) {
    const at = Date.parse(kernel.cull_at ?? '');
    const from = Date.parse(kernel.cull_warning_at ?? '');
    if (mine.has(kernel.id) && !isNaN(at) && from <= now) {
      endings.push({ id: kernel.id, at });
    }
  }
  return endings;
}

/**
 * Whether a kernel that is in the list no more, and was to be ended at `at`, has been ended for
 * that reason, and not by a person before.
 */
export function hasEnded(at: number, now: number): boolean {
  return now >= at;
}
