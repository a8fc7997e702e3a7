const SHUT_DOWN_BY = 'the kernel was shut down by ';

/** The user who has shut a kernel down, by the reason of its websocket's end; null if nobody has. */
export function whoShutDown(reason: string): string | null {
  return reason.startsWith(SHUT_DOWN_BY) ? reason.slice(SHUT_DOWN_BY.length) : null;
}
