import type { IFramedOutput } from './frameMessages.js';

/** The text of longer ones, which mostly hold libraries of scripts, would cost too much. */
const LONGEST = 1_000_000;
const UNREAD = 'script, style, template';
const ROWS = 'tr, p, div, li, br, pre, h1, h2, h3, h4, h5, h6';

/**
 * The text of what a frame draws, for searches and the clipboard, which do not reach into it.
 *
 * What scripts add is not in it. Nothing of the output runs or is loaded.
 */
export function framedText({ mimeType, data }: IFramedOutput): string {
  if (mimeType.endsWith('/javascript') || data.length > LONGEST) {
    return '';
  }
  const { body } = new DOMParser().parseFromString(data, 'text/html');
  body.querySelectorAll(UNREAD).forEach(element => element.remove());
  body.querySelectorAll('td + td, td + th, th + th, th + td').forEach(cell => cell.prepend('\t'));
  body.querySelectorAll(ROWS).forEach(row => row.after('\n'));
  const lines = (body.textContent ?? '').split('\n').map(line => line.trimEnd());
  return lines.filter(line => line).join('\n');
}
