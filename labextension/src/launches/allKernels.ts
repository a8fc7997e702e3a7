import type { Fetch } from '../user/signInFetch.js';

/**
 * `fetch` for a page whose list of kernels has all that its user may know of: owners of a project may end
 * kernels that others have alone there. See docs/protocols.md.
 */
export function allKernels(fetch: Fetch): Fetch {
  return (input, init) => {
    const request = new Request(input, init);
    const url = new URL(request.url);
    if (request.method === 'GET' && url.pathname.endsWith('/api/kernels')) {
      url.searchParams.set('personal', 'all');
      return fetch(new Request(url, request));
    }
    return fetch(request);
  };
}
