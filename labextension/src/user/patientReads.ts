import { backOff } from '../page/backOff.js';
import type { Fetch } from './signInFetch.js';

/** So long a page waits for labs that are to read a file: killed ones are back sooner. */
const LONGEST_MS = 30_000;
/** And for what it is made of: without that it would stay empty. */
const LONGEST_FOR_PARTS_MS = 600_000;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 3_000;

/** What `patientReads` needs of the world; times are in ms. */
export interface IPatience {
  readonly now: () => number;
  readonly wait: (time: number) => Promise<void>;
}

const REAL: IPatience = {
  now: () => performance.now(),
  wait: time => new Promise(resolve => setTimeout(resolve, time))
};

/**
 * `fetch` whose reads of files, settings and layouts wait while no lab can answer.
 *
 * JupyterLab asks for them once: a file that cannot be read is a dialog and a closed tab, settings that
 * cannot be read are an empty page. A 503 with `Retry-After` says that nothing but time is needed; so does
 * a server that is not there, or goes before all of its answer has come. So does a 504 where no answer
 * takes a lab long, but while its database is away: what may have stopped a lab is not asked for again.
 */
export function patientReads(fetch: Fetch, { now, wait }: IPatience = REAL): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    if (!isRead(request)) {
      return fetch(request);
    }
    const isPart = /\/lab\/api(\/|$)/.test(new URL(request.url).pathname);
    const longest = isPart ? LONGEST_FOR_PARTS_MS : LONGEST_MS;
    const since = now();
    for (let attempts = 0; ; attempts += 1) {
      const isLast = now() - since >= longest;
      try {
        const response = await fetch(request.clone());
        if (isLast || !(isLater(response) || (isPart && response.status === 504))) {
          return await whole(response);
        }
      } catch (error) {
        if (isLast || request.signal.aborted) {
          throw error;
        }
      }
      await wait(backOff(attempts, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, Math.random()));
    }
  };
}

/** The answer when all of it has come. A copy to wait for would hold a large file twice. */
async function whole(response: Response): Promise<Response> {
  if (!response.body) {
    return response;
  }
  const pieces: Uint8Array[] = [];
  const reader = response.body.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) {
    pieces.push(read.value);
  }
  const body = new ReadableStream({
    pull: stream => {
      const piece = pieces.shift();
      if (piece) {
        stream.enqueue(piece);
      } else {
        stream.close();
      }
    }
  });
  return new Response(body, response);
}

function isRead({ method, url }: Request): boolean {
  return method === 'GET' && /\/(lab\/api|api\/contents)(\/|$)/.test(new URL(url).pathname);
}

function isLater({ status, headers }: Response): boolean {
  return status === 503 && headers.has('Retry-After');
}
