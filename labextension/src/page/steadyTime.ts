/**
 * Milliseconds since 1970, by the clock as it was when the page was loaded.
 *
 * `Date.now()` jumps when somebody sets the clock: what waits for a time would wait for hours, or not at
 * all.
 */
export function steadyTime(): number {
  return performance.timeOrigin + performance.now();
}
