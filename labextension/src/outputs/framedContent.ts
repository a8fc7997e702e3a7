import { boundedHeight, type IFramedOutput } from './frameMessages.js';

/** Longer ones, which mostly hold libraries of scripts, would cost too much. */
const LONGEST = 1_000_000;
const UNREAD = 'script, style, template';
const ROWS = 'tr, p, div, li, br, pre, h1, h2, h3, h4, h5, h6';

/** As the style of frames has them. */
const ROW_PX = 28;
const LINE_PX = 22;
/** Of what has no text: a plot, a picture. */
const OTHER_PX = 60;

/** What is known of an output before a frame draws it. Nothing of it has run or been loaded. */
export interface IFramedContent {
  /** For searches, which do not reach into frames. What scripts add is not in it. */
  readonly text: string;
  /** About how high it will be, in pixels, so that what is below it does not jump. */
  readonly height: number;
}

export function framedContent({ mimeType, data }: IFramedOutput): IFramedContent {
  if (mimeType.endsWith('/javascript') || data.length > LONGEST) {
    return { text: '', height: OTHER_PX };
  }
  const { body } = new DOMParser().parseFromString(data, 'text/html');
  body.querySelectorAll(UNREAD).forEach(element => element.remove());
  body.querySelectorAll('td + td, td + th, th + th, th + td').forEach(cell => cell.prepend('\t'));
  body.querySelectorAll(ROWS).forEach(row => row.after('\n'));
  const lines = (body.textContent ?? '').split('\n').filter(line => line.trim());
  return {
    text: lines.map(line => line.trimEnd()).join('\n'),
    height: heightOfLines(lines.length, body.querySelectorAll('tr').length)
  };
}

/** About how high so many lines of text are, of which so many are rows of tables. */
export function heightOfLines(lines: number, rows: number): number {
  const height = rows * ROW_PX + Math.max(0, lines - rows) * LINE_PX;
  return boundedHeight(height || OTHER_PX);
}
