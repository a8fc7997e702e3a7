/** Which kernel a form for launch options is about before a person has chosen one. */
export interface IKernelOfForm {
  /** A kernel with options; null if a person has to choose. */
  readonly chosen: string | null;
  /** The kernel that would have been chosen if it had options; null if none was asked for. */
  readonly without: string | null;
}

/**
 * The kernel of a form for launch options.
 *
 * Where the kernel in question has no options, no other one takes its place by itself: pressing Enter
 * would replace a running kernel by it.
 *
 * @param known - The kernels that may be meant, the likeliest first; empty names are none.
 * @param withOptions - The kernels that have options.
 */
export function kernelOfForm(
  known: readonly (string | undefined)[],
  withOptions: readonly string[]
): IKernelOfForm {
  const meant = known.find(name => name) ?? null;
  return meant !== null && withOptions.includes(meant)
    ? { chosen: meant, without: null }
    : { chosen: null, without: meant };
}
