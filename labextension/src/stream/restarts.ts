import type { Fetch } from '../user/signInFetch.js';

/** `fetch` that tells, before it asks a server for it, that a user restarts a kernel. */
export function withRestarts(fetch: Fetch, onRestart: (kernelId: string) => void): Fetch {
  return (input, init) => {
    const request = new Request(input, init);
    const kernel = /\/api\/kernels\/([^/]+)\/restart$/.exec(new URL(request.url).pathname);
    if (kernel && request.method === 'POST') {
      onRestart(decodeURIComponent(kernel[1]));
    }
    return fetch(request);
  };
}
