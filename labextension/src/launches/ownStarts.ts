import type { Fetch } from '../user/signInFetch.js';

/** What a request for a session says of the kernel that it asks for. */
interface IAsking {
  readonly kernel?: { readonly launch_options?: { readonly only_for_me?: unknown } } | null;
}

/** What a model of a session says of its kernel. */
interface IAnswered {
  readonly kernel?: { readonly only_for?: unknown } | null;
}

/** What the page is told in place of a session with a kernel that others use. */
const REFUSAL = {
  message:
    'The server is of a version that cannot start a kernel only for you, and has started none. ' +
    'Try again in a minute.'
};

/**
 * `fetch` for a page whose user may ask for a kernel alone.
 *
 * A lab of the version before answers with the kernel of all, if the document has one. The page would
 * use it, or end it because the session has another path than it asked for.
 *
 * @param user - The name of the page's user; null if the page does not know it.
 */
export function ownStarts(fetch: Fetch, user: () => string | null): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (!isOfSession(request.method, new URL(request.url).pathname)) {
      return fetch(request);
    }
    const asked = request.clone();
    const response = await fetch(request);
    if (!response.ok || !asksForOwn(await asked.text())) {
      return response;
    }
    const model = (await response.clone().json()) as IAnswered;
    return hasOwn(model, user()) ? response : Response.json(REFUSAL, { status: 503 });
  };
}

/** Whether a request starts a session, or gives one another kernel. */
function isOfSession(method: string, path: string): boolean {
  return method === 'POST'
    ? /\/api\/sessions\/?$/.test(path)
    : method === 'PATCH' && /\/api\/sessions\/[^/]+$/.test(path);
}

/** Whether the body of such a request asks for a kernel that nobody else uses. */
export function asksForOwn(body: string): boolean {
  const { kernel } = JSON.parse(body) as IAsking;
  return kernel?.launch_options?.only_for_me === true;
}

/** Whether nobody but this user has the kernel of a session. */
export function hasOwn({ kernel }: IAnswered, user: string | null): boolean {
  const person = kernel?.only_for;
  return typeof person === 'string' && (user === null || person === user);
}
