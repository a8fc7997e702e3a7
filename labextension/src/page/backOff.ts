/**
 * How long to wait before the next of many attempts, in ms.
 *
 * It doubles from one attempt to the next, up to `longest`, and differs by a quarter between pages,
 * which would otherwise all ask at the same time.
 *
 * @param attempts - How many attempts have failed.
 * @param random - From 0 to 1.
 */
export function backOff(attempts: number, first: number, longest: number, random: number): number {
  return Math.min(first * 2 ** attempts, longest) * (0.75 + random / 4);
}
