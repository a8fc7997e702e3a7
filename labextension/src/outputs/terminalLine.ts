/** The line that a stream is writing, and where in it the next character goes. */
export interface ITerminalLine {
  text: string;
  cursor: number;
}

/** What a piece of a stream has made of a line. */
export interface IWritten {
  /** Complete lines, the first of them made from the line before; each ends with a newline. */
  done: string;
  line: ITerminalLine;
  /** Shorter text (or the same) that does to an output what the piece does. */
  output: string;
}

/**
 * Write a piece of a stream: a carriage return goes back to the start of the line, a backspace takes
 * a character away, as JupyterLab's outputs understand them.
 *
 * A progress bar that is drawn a thousand times comes out as its last state.
 */
export function write(before: ITerminalLine, piece: string): IWritten {
  if (before.cursor === before.text.length && !piece.includes('\r') && !piece.includes('\b')) {
    const end = piece.lastIndexOf('\n') + 1;
    const text = end ? piece.slice(end) : before.text + piece;
    return {
      done: end ? before.text + piece.slice(0, end) : '',
      line: { text, cursor: text.length },
      output: piece
    };
  }
  const lines = piece.split('\n');
  let line = before;
  let shortened = false;
  const done: string[] = [];
  lines.forEach((part, index) => {
    const written = writeInLine(line, part);
    shortened ||= index === 0 && written.text.length < before.text.length;
    if (index < lines.length - 1) {
      done.push(written.text);
      line = { text: '', cursor: 0 };
    } else {
      line = written;
    }
  });
  const all = done.length ? `${done.join('\n')}\n` : '';
  return { done: all, line, output: shortened ? piece : redraw(before, all, line) };
}

/** The shortest way from `before` to `done` and `line`, if no line became shorter. */
function redraw(before: ITerminalLine, done: string, line: ITerminalLine): string {
  const target = done + line.text;
  const appended = before.cursor === before.text.length && target.startsWith(before.text);
  const start = appended ? target.slice(before.text.length) : `\r${target}`;
  return line.cursor === line.text.length ? start : `${start}\r${line.text.slice(0, line.cursor)}`;
}

/** `part` holds no newline. */
function writeInLine(line: ITerminalLine, part: string): ITerminalLine {
  let { text, cursor } = line;
  for (const piece of part.split(/([\r\b])/)) {
    if (piece === '\r') {
      cursor = 0;
    } else if (piece === '\b') {
      if (cursor > 0) {
        text = text.slice(0, cursor - 1) + text.slice(cursor + 1);
        cursor -= 1;
      }
    } else if (piece) {
      text = text.slice(0, cursor) + piece + text.slice(cursor + piece.length);
      cursor += piece.length;
    }
  }
  return { text, cursor };
}

/** How many newlines there are in `text`. */
export function countLines(text: string): number {
  let count = 0;
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) {
    count += 1;
  }
  return count;
}
