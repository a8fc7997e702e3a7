/** Between two questions whether the other end is there. */
export const PING_MS = 2_500;
/**
 * Pings that may stay without any answer: a connection that is silent for about 6 s is cut. Times do not
 * count: timers of a page that was busy, hidden or asleep come late.
 */
const MOST_UNANSWERED = 2;
/** After about 60 s. */
const MOST_EVER = 23;
/** The reason of an end by silence; its code, 1006, no server can send. */
export const SILENT = 'silent';

/**
 * How many pings may stay without an answer, after so many connections in a row that silence ended.
 *
 * A browser tells of a message when all of it has come: over a slow line a long one looks like silence.
 * Each time it gets twice as long, or it would be cut again and again.
 */
export function mostUnanswered(silences: number): number {
  return Math.min(MOST_UNANSWERED * 2 ** silences, MOST_EVER);
}

/**
 * How many connections in a row silence has ended, after one more.
 *
 * @param livedMs - For how long that one was open; what outlives its limit shows that it is long enough.
 */
export function silencesAfter(
  silences: number,
  end: { readonly code: number; readonly reason: string },
  livedMs: number
): number {
  if (end.code === 1006 && end.reason === SILENT) {
    return silences + 1;
  }
  return livedMs > (mostUnanswered(silences) + 1) * PING_MS ? 0 : silences;
}
