import type { Fetch } from '../user/signInFetch.js';

/** The sessions and kernels whose launches a person is canceling. */
const canceled = new Set<string>();

/**
 * Have a session or kernel ended only if its kernel does not run yet; see docs/protocols.md.
 *
 * @param end - Ends it as JupyterLab does. Throws a ResponseError with status 409 if the kernel runs.
 */
export async function whileLaunching(id: string, end: () => Promise<void>): Promise<void> {
  canceled.add(id);
  try {
    await end();
  } finally {
    canceled.delete(id);
  }
}

/** `fetch` for a page on which people cancel launches. */
export function launchCancels(fetch: Fetch): Fetch {
  return (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (request.method === 'DELETE' && isCanceled(url.pathname)) {
      url.searchParams.set('launching', '1');
      return fetch(new Request(url, request));
    }
    return fetch(request);
  };
}

function isCanceled(path: string): boolean {
  const [, id] = /\/api\/(?:sessions|kernels)\/([^/]+)$/.exec(path) ?? [];
  return id !== undefined && canceled.has(decodeURIComponent(id));
}
