/** Enough to know a cell by. */
const LINES = 5;
const CHARACTERS = 400;

/** The first lines of a cell's code, with "…" if there is more. */
export function firstLines(code: string): string {
  const whole = code.trimEnd();
  const first = whole.split('\n', LINES).join('\n').slice(0, CHARACTERS);
  return first.length < whole.length ? `${first.trimEnd()}\n…` : first;
}
