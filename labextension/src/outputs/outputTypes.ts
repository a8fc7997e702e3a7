/**
 * How an output of a type is drawn that the user of this page does not trust.
 *
 * - shown: by JupyterLab
 * - framed: in a frame without this page's origin
 * - opened: by JupyterLab, but only where a person opens a file of that type or where widgets
 *   decide; never chosen for an output
 * - text: as text, with the reason
 */
export type WayToDraw = 'shown' | 'framed' | 'opened' | 'text';

/** The type of an output that shows a widget. */
export const WIDGET_VIEW = 'application/vnd.jupyter.widget-view+json';

const WAYS = new Map<string, WayToDraw>([
  ['text/plain', 'shown'],
  ['application/vnd.jupyter.stdout', 'shown'],
  ['application/vnd.jupyter.stderr', 'shown'],
  ['application/vnd.jupyter.error', 'shown'],
  ['image/png', 'shown'],
  ['image/jpeg', 'shown'],
  ['image/gif', 'shown'],
  ['image/bmp', 'shown'],
  ['image/webp', 'shown'],
  ['application/json', 'shown'],
  // JupyterLab removes from these what runs.
  ['text/markdown', 'shown'],
  ['text/latex', 'shown'],
  ['text/html', 'framed'],
  ['image/svg+xml', 'framed'],
  ['application/javascript', 'framed'],
  ['text/javascript', 'framed'],
  ['application/pdf', 'opened'],
  // It shows a widget that this page has; whose widgets a page has is decided elsewhere.
  [WIDGET_VIEW, 'opened']
]);

/** The types that JupyterLab shows after it has removed something from them, unless they are trusted. */
const CLEANED = new Set(['text/markdown', 'text/latex']);

/**
 * Types that are not named may be anything: an extension's renderer that calls itself safe has
 * fetched files of this page's user for others (Vega, by a URL in its specification).
 */
export function wayToDraw(mimeType: string): WayToDraw {
  return WAYS.get(mimeType) ?? 'text';
}

/**
 * Whether a type is drawn alike whether it is trusted or not: nothing of it runs, and nothing has to be
 * removed from it.
 */
export function isSameForAll(mimeType: string): boolean {
  return wayToDraw(mimeType) === 'shown' && !CLEANED.has(mimeType);
}

/** The types beside which there is a script that needs what the script of another output has loaded. */
const NEED_OTHERS = new Set([
  'application/vnd.bokehjs_load.v0+json',
  'application/vnd.bokehjs_exec.v0+json'
]);

/** Whether an output draws nothing in a frame of its own. */
export function needsOthers(bundle: object): boolean {
  return Object.keys(bundle).some(type => NEED_OTHERS.has(type));
}

/**
 * The type in which an untrusted output is drawn; undefined if there is none.
 *
 * @param types - those that JupyterLab can draw, the best first
 * @param bundle - the output's data, by types
 */
export function typeToDraw(types: Iterable<string>, bundle: object): string | undefined {
  const offered = [...types].filter(type => type in bundle);
  return (
    offered.find(type => ['shown', 'framed'].includes(wayToDraw(type))) ??
    offered.find(type => wayToDraw(type) === 'text')
  );
}

/**
 * The type in which an output would be drawn if it were trusted, where its plain text is drawn instead;
 * undefined if that is no other one.
 *
 * @param types - as in `typeToDraw`
 */
export function withheldType(types: Iterable<string>, bundle: object): string | undefined {
  const best = [...types].find(type => type in bundle);
  const isWithheld = best !== undefined && ['opened', 'text'].includes(wayToDraw(best));
  return isWithheld && typeToDraw(types, bundle) === 'text/plain' ? best : undefined;
}
