import type { TranslationBundle } from '@jupyterlab/translation';

import type { GoneState } from './goneState.js';

/** What a page says, above the notebook, of the cells that are not in it. */
export function goneNotice(states: readonly GoneState[], trans: TranslationBundle): string {
  const count = states.length;
  if (states.includes('asks')) {
    return trans._n(
      'A cell that is not in this notebook waits for an answer.',
      'The kernel ran %1 cells that are not in this notebook. One of them waits for an answer.',
      count
    );
  }
  if (states.includes('running')) {
    return trans._n(
      'The kernel is running a cell that is not in this notebook.',
      'The kernel ran %1 cells that are not in this notebook. One of them is still running.',
      count
    );
  }
  if (states.includes('queued')) {
    return trans._n(
      'The kernel will run a cell that is not in this notebook.',
      'The kernel ran, or will run, %1 cells that are not in this notebook.',
      count
    );
  }
  return trans._n(
    'The kernel ran a cell that is not in this notebook.',
    'The kernel ran %1 cells that are not in this notebook.',
    count
  );
}

/** What the button is called that shows them. */
export function goneAction(states: readonly GoneState[], trans: TranslationBundle): string {
  return states.includes('asks') ? trans.__('Show Question') : trans.__('Show Output');
}

/** The line above what one of them had run; `when` is empty if nobody knows when it was sent. */
export function goneLine(
  state: GoneState,
  count: number | null,
  when: string,
  trans: TranslationBundle
): string {
  const line = `[${count ?? ' '}] ${when}`.trimEnd();
  switch (state) {
    case 'asks':
      return trans.__('%1 (waits for an answer)', line);
    case 'running':
      return trans.__('%1 (running)', line);
    case 'queued':
      return trans.__('%1 (queued)', line);
    case 'done':
      return line;
  }
}
