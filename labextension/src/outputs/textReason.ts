import type { TranslationBundle } from '@jupyterlab/translation';

import type { IPeople } from './people.js';

/**
 * Why an output is shown as text, and what to do about it.
 *
 * @param people - Who may have put something into it; null if the user has not run it.
 * @param me - The user of this page.
 */
export function textReason(
  mimeType: string,
  people: IPeople | null,
  me: string | null,
  trans: TranslationBundle
): string {
  if (!people) {
    return trans.__(
      'Shown as text: %1 is drawn only in a notebook that you ran or trust.',
      mimeType
    );
  }
  const others = people.users.filter(user => user === null || user !== me);
  const names = others.filter(user => user !== null);
  return names.length && names.length === others.length
    ? trans.__(
        'Shown as text: %1 is not drawn until you trust %2 in this kernel ("Trust Them Until It Restarts" above).',
        mimeType,
        names.join(', ')
      )
    : trans.__(
        'Shown as text: %1 is not drawn until you trust whoever has used this kernel ("Trust Them Until It Restarts" above).',
        mimeType
      );
}
