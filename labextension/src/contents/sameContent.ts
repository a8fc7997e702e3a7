import { HELD } from './heldMetadata.js';

/**
 * Whether two contents of a file say the same.
 *
 * A save whose answer was lost with the server has been committed all the same. The page then meets
 * its own content as a conflict, which is none. Notebooks pass through nbformat on the way: lists of
 * lines are joined, and trust is kept elsewhere than in the file. How much of the kernel's journal a
 * cell holds is no content either.
 */
export function sameContent(ours: unknown, theirs: unknown, kind: string): boolean {
  if (kind !== 'notebook') {
    return ours === theirs;
  }
  return canonicalNotebook(ours) === canonicalNotebook(theirs);
}

/** The same text for all notebooks that say the same. */
export function canonicalNotebook(notebook: unknown): string {
  return canonical(notebook, '');
}

function canonical(value: unknown, key: string): string {
  if (Array.isArray(value)) {
    if (isLines(value, key)) {
      return JSON.stringify(value.join(''));
    }
    return `[${value.map(item => canonical(item, '')).join(',')}]`;
  }
  if (value !== null && typeof value === 'object') {
    const fields = Object.entries(value)
      .filter(([name]) => !DROPPED.has(`${key}.${name}`))
      .map(([name, item]) => [RENAMED.get(`${key}.${name}`) ?? name, item] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, item]) => `${JSON.stringify(name)}:${canonical(item, name)}`);
    return `{${fields.join(',')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}

/**
 * Fields that nbformat takes out before it writes (`metadata` of the notebook and of cells), and what
 * nobody has written.
 */
const DROPPED = new Set([
  `metadata.${HELD}`,
  'metadata.trusted',
  'metadata.orig_nbformat',
  'metadata.orig_nbformat_minor',
  'metadata.signature'
]);

/** Widget state that a page does not trust has another name there than in the file. */
const RENAMED = new Map([['metadata.jupyter-fleet.untrusted-widgets', 'widgets']]);

/** A multi-line string of nbformat 4: a list of lines under `source`, `text` or a MIME type. */
function isLines(value: unknown[], key: string): value is string[] {
  return (
    (key === 'source' || key === 'text' || key.includes('/')) &&
    !/^application\/(.*\+)?json$/.test(key) &&
    value.every(line => typeof line === 'string')
  );
}
