import type { Fetch } from '../user/signInFetch.js';

/** The header of a client that wants its kernel's model before the kernel runs; docs/protocols.md. */
const START_HEADER = 'X-Fleet-Start';

/**
 * `fetch` for a page that follows its kernels while they start.
 *
 * The server answers a start at once, whatever the cluster does. Clients that do not ask for this
 * wait until the kernel runs.
 */
export function asyncStarts(fetch: Fetch): Fetch {
  return (input, init) => {
    const request = new Request(input, init);
    if (isStart(request.method, new URL(request.url).pathname)) {
      request.headers.set(START_HEADER, 'async');
    }
    return fetch(request);
  };
}

/** Whether a request may start a kernel: a new session or kernel, another kernel, a restart. */
export function isStart(method: string, path: string): boolean {
  if (method === 'PATCH') {
    return /\/api\/sessions\/[^/]+$/.test(path);
  }
  return method === 'POST' && /\/api\/(sessions|kernels|kernels\/[^/]+\/restart)\/?$/.test(path);
}
