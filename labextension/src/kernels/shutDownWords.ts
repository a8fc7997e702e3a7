import type { TranslationBundle } from '@jupyterlab/translation';

/**
 * What to say before a user's own kernels are shut down.
 *
 * @param count - How many end.
 * @param shared - The names of the user's kernels that go on because other pages use them.
 */
export function shutDownWords(
  count: number,
  shared: readonly string[],
  trans: TranslationBundle
): string {
  const kept = shared.length
    ? trans._n(
        'Your kernel of %2 goes on, because other pages are connected to it.',
        'Your kernels of %2 go on, because other pages are connected to them.',
        shared.length,
        shared.join(', ')
      )
    : '';
  const ends = count
    ? trans._n(
        'Shut down your kernel? Its variables are lost. The kernels of other people go on.',
        'Shut down your %1 kernels? Their variables are lost. The kernels of other people go on.',
        count
      )
    : kept || trans.__('None of these kernels is yours.');
  return count && kept ? `${ends} ${kept}` : ends;
}
