import type { Fetch } from '../user/signInFetch.js';

/** What a request for a session says of the kernel that it asks for. */
interface IAsking {
  readonly kernel?: IAskedKernel | null;
}

/** The kernel that is asked for. */
interface IAskedKernel {
  readonly launch_options?: { readonly only_for_me?: unknown };
}

/** What a model of a session says of its kernel, or an error in place of that. */
interface IAnswered {
  readonly message?: string;
  readonly kernel?: { readonly only_for?: unknown } | null;
}

/**
 * In front of the path of a session whose user asks for a kernel alone. No project's name has it, so that
 * a lab of the version before makes no session, which would keep the kernel of all from its end.
 */
const MARK = '@';

/** What such a lab says of the path. */
const NO_PROJECT = /^'@.*is not a project name/;

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
    const body = await request.clone().text();
    if (!asksForOwn(body)) {
      return fetch(request);
    }
    const response = await fetch(
      request.method === 'POST' ? new Request(request, { body: marked(body) }) : request
    );
    // What stands in front of the labs may answer with a page of its own.
    const model = (await response
      .clone()
      .json()
      .catch(() => ({}))) as IAnswered;
    const refused = response.ok ? !hasOwn(model, user()) : NO_PROJECT.test(model.message ?? '');
    return refused ? Response.json(REFUSAL, { status: 503 }) : response;
  };
}

/** Whether a request starts a session, or gives one another kernel. */
function isOfSession(method: string, path: string): boolean {
  return method === 'POST'
    ? /\/api\/sessions\/?$/.test(path)
    : method === 'PATCH' && /\/api\/sessions\/[^/]+$/.test(path);
}

/** Whether the body of such a request asks for a kernel that nobody else uses. */
function asksForOwn(body: string): boolean {
  const { kernel } = JSON.parse(body) as IAsking;
  return !!kernel && isForMeAlone(kernel);
}

/** Whether a kernel is asked for that nobody else uses: all others keep theirs. */
export function isForMeAlone(kernel: object): boolean {
  return (kernel as IAskedKernel).launch_options?.only_for_me === true;
}

/** The body of such a request, with the mark. */
function marked(body: string): string {
  const asked = JSON.parse(body) as { readonly path: string };
  return JSON.stringify({ ...asked, path: `${MARK}${asked.path}` });
}

/** Whether nobody but this user has the kernel of a session. */
export function hasOwn({ kernel }: IAnswered, user: string | null): boolean {
  const person = kernel?.only_for;
  return typeof person === 'string' && (user === null || person === user);
}
