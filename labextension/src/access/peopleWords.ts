import type { TranslationBundle } from '@jupyterlab/translation';

import type { IPeople } from '../outputs/people.js';

/** Of more people some are only counted. */
const MOST_NAMES = 3;

/**
 * Why outputs that the user has made are not drawn as usual.
 *
 * @param people - Who has used the kernel.
 * @param me - The user of this page.
 */
export function peopleWords(people: IPeople, me: string | null, trans: TranslationBundle): string {
  const others = people.users.filter(user => user === null || user !== me);
  const names = others.filter(user => user !== null);
  if (!names.length) {
    return trans.__(
      'The server does not say who else ran code in this kernel. Their code can put scripts into your ' +
        'outputs, so these are drawn in frames or as text, and widgets are not shown.'
    );
  }
  return trans.__(
    '%1 also ran code in this kernel. Such code can put scripts into your outputs, so these are drawn ' +
      'in frames or as text, and widgets are not shown.',
    listed(names, others.length, trans)
  );
}

function listed(names: readonly string[], count: number, trans: TranslationBundle): string {
  const shown = names.slice(0, MOST_NAMES);
  const rest = count - shown.length;
  const last = rest ? trans._n('%1 other person', '%1 others', rest) : shown.pop()!;
  return shown.length ? trans.__('%1 and %2', shown.join(', '), last) : last;
}
