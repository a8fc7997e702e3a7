import type { SignIn } from './signIn.js';
import { learnXsrf, pageXsrf } from './xsrfToken.js';

export type Fetch = (input: RequestInfo, init?: RequestInit) => Promise<Response>;

/** The header that names the person whom a page belongs to; see docs/protocols.md. */
const USER_HEADER = 'X-Fleet-User';

/**
 * `fetch` for a page whose login may end.
 *
 * A request that is refused because of the login has not been carried out. It waits until the same
 * person is signed in and is then sent again, so that nobody takes the refusal for the death of a
 * kernel. A save alone is refused at once: what is typed while it waited would count as saved
 * (see `VersionedDrive`, which repeats it).
 */
export function heldFetch(fetch: Fetch, signIn: SignIn): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const save = isSave(request);
    if (!save && signIn.state !== 'in') {
      if (isAct(request)) {
        signIn.onRefused();
      }
      await signIn.whenIn();
    }
    for (let again = false; ; again = true) {
      const xsrf = pageXsrf(document.cookie);
      const response = await fetch(named(request.clone(), signIn.user, xsrf));
      learnXsrf(response.headers);
      if (response.status !== 401 && response.status !== 403) {
        return isAboutKernel(request) && [502, 504].includes(response.status)
          ? unavailable(response)
          : response;
      }
      if (await signIn.check()) {
        // A 401 may have crossed with a new login, which also brings another token against forged
        // requests: one more try. Any other 403 is about a right.
        if (again || (response.status === 403 && pageXsrf(document.cookie) === xsrf)) {
          return response;
        }
        continue;
      }
      if (isAct(request)) {
        signIn.onRefused();
      }
      if (save) {
        // A server that was sent no login at all says 403.
        return new Response(response.body, { status: 401 });
      }
      await signIn.whenIn();
    }
  };
}

function isSave(request: Request): boolean {
  return request.method === 'PUT' && new URL(request.url).pathname.includes('/api/contents/');
}

/** Whether this request asks for the state of a kernel. */
function isAboutKernel(request: Request): boolean {
  return request.method === 'GET' && /\/api\/kernels\/[^/]+$/.test(new URL(request.url).pathname);
}

/** JupyterLab retries after a 503; after any other error it treats the kernel as dead. */
function unavailable(response: Response): Response {
  return new Response(response.body, { status: 503, headers: response.headers });
}

/** Whether a person did something, rather than the page by itself (a layout is kept at each change). */
function isAct(request: Request): boolean {
  return request.method !== 'GET' && !new URL(request.url).pathname.includes('/lab/api/');
}

function named(request: Request, user: string | null, xsrf: string | null): Request {
  if (user !== null) {
    request.headers.set(USER_HEADER, encodeURIComponent(user));
  }
  // JupyterLab has taken it from the cookie, or has found none there.
  if (xsrf !== null && (request.method !== 'GET' || request.headers.has('X-XSRFToken'))) {
    request.headers.set('X-XSRFToken', xsrf);
  }
  return request;
}
