/** How much of a long text is shown. */
export interface IShown {
  /** Texts up to so many lines and characters are shown whole. */
  wholeLines: number;
  wholeCharacters: number;
  /** Of longer ones, so many lines, and no more than so many characters, of each end. */
  endLines: number;
  endCharacters: number;
}

/** What a browser lays out in a few milliseconds, and more than anybody reads at once. */
export const SHOWN: IShown = {
  wholeLines: 2_000,
  wholeCharacters: 200_000,
  endLines: 500,
  endCharacters: 50_000
};

/** A text in three parts, the middle of which is not shown. */
export interface IExcerpt {
  head: string;
  tail: string;
  /** Lines and characters between them; both 0 if all is shown. */
  lines: number;
  characters: number;
}

/**
 * Choose what is shown of `text`.
 *
 * @param more how many times more was asked for; each time the head grows by a whole text's length.
 */
export function excerpt(text: string, more = 0, shown: IShown = SHOWN): IExcerpt {
  const end = endOfHead(
    text,
    shown.endLines + more * shown.wholeLines,
    shown.endCharacters + more * shown.wholeCharacters
  );
  const start = startOfTail(text, shown.endLines, shown.endCharacters);
  if (
    start <= end ||
    (!more &&
      text.length <= shown.wholeCharacters &&
      endOfHead(text, shown.wholeLines, text.length) === text.length)
  ) {
    return { head: text, tail: '', lines: 0, characters: 0 };
  }
  return {
    head: text.slice(0, end),
    tail: text.slice(start),
    lines: linesIn(text, end, start),
    characters: start - end
  };
}

/** Where the first lines end; in the middle of a line only if it is longer than `characters`. */
function endOfHead(text: string, lines: number, characters: number): number {
  if (text.length <= characters && !text.includes('\n')) {
    return text.length;
  }
  let end = 0;
  for (let line = 0; line < lines; line += 1) {
    const next = text.indexOf('\n', end);
    const after = next < 0 ? text.length : next + 1;
    if (after > characters) {
      return end || Math.min(characters, text.length);
    }
    end = after;
    if (end === text.length) {
      break;
    }
  }
  return end;
}

/** Where the last lines begin; in the middle of a line only if it is longer than `characters`. */
function startOfTail(text: string, lines: number, characters: number): number {
  const earliest = Math.max(0, text.length - characters);
  let start = text.length;
  for (let line = 0; line < lines && start > 0; line += 1) {
    const before = start < 2 ? 0 : text.lastIndexOf('\n', start - 2) + 1;
    if (before < earliest) {
      return start === text.length ? earliest : start;
    }
    start = before;
  }
  return start;
}

/** How many lines are wholly or partly between two places. */
function linesIn(text: string, from: number, to: number): number {
  let count = 0;
  let at = from;
  while (at < to) {
    const next = text.indexOf('\n', at);
    at = next < 0 ? to : next + 1;
    count += 1;
  }
  return count;
}
