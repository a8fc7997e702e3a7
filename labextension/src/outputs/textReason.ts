import type { TranslationBundle } from '@jupyterlab/translation';

import { WIDGET_VIEW } from './outputTypes.js';
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
  const what = mimeType === WIDGET_VIEW ? trans.__('this widget') : mimeType;
  if (!people) {
    return trans.__('Shown as text: %1 is drawn only in a notebook that you ran or trust.', what);
  }
  const names = namesOfOthers(people, me);
  return names
    ? trans.__(
        'Shown as text: %1 is not drawn until you trust %2 in this kernel ("Trust Them Until It Restarts" above).',
        what,
        names
      )
    : trans.__(
        'Shown as text: %1 is not drawn until you trust whoever has used this kernel ("Trust Them Until It Restarts" above).',
        what
      );
}

/** Why an output that needs others of its notebook draws nothing in its frame; as `textReason`. */
export function apartReason(
  people: IPeople | null,
  me: string | null,
  trans: TranslationBundle
): string {
  if (!people) {
    return trans.__(
      'Not drawn: this output needs a library that another output loads, which works only in a notebook that you ran or trust ("Trust Notebook" in the command palette).'
    );
  }
  const names = namesOfOthers(people, me);
  return names
    ? trans.__(
        'Not drawn: this output needs a library that another output loads, which does not work until you trust %1 in this kernel ("Trust Them Until It Restarts" above).',
        names
      )
    : trans.__(
        'Not drawn: this output needs a library that another output loads, which does not work until you trust whoever has used this kernel ("Trust Them Until It Restarts" above).'
      );
}

/**
 * Why an output may not work in its frame, after a script failed there; as `textReason`.
 *
 * @param what - The script's own words, in which nobody has a say but its author.
 */
export function failedReason(
  what: string,
  people: IPeople | null,
  me: string | null,
  trans: TranslationBundle
): string {
  if (!people) {
    return trans.__(
      'A script of this output failed: "%1". If it needs a library that another output loads, it works only in a notebook that you ran or trust ("Trust Notebook" in the command palette).',
      what
    );
  }
  const names = namesOfOthers(people, me);
  return names
    ? trans.__(
        'A script of this output failed: "%1". If it needs a library that another output loads, it does not work until you trust %2 in this kernel ("Trust Them Until It Restarts" above).',
        what,
        names
      )
    : trans.__(
        'A script of this output failed: "%1". If it needs a library that another output loads, it does not work until you trust whoever has used this kernel ("Trust Them Until It Restarts" above).',
        what
      );
}

/** The others among these people; empty if not all of them are known. */
function namesOfOthers({ users }: IPeople, me: string | null): string {
  const others = users.filter(user => user === null || user !== me);
  return others.includes(null) ? '' : others.join(', ');
}
