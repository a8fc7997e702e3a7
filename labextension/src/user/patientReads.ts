import { backOff } from '../page/backOff.js';
import type { Fetch } from './signInFetch.js';

/** So long a page waits for labs: killed ones are back sooner. */
const LONGEST_MS = 30_000;
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
 * cannot be read are a page without menus. A 503 with `Retry-After` says that nothing but time is needed.
 */
export function patientReads(fetch: Fetch, { now, wait }: IPatience = REAL): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const since = now();
    for (let attempts = 0; ; attempts += 1) {
      const response = await fetch(request.clone());
      if (!isRead(request) || !isLater(response) || now() - since >= LONGEST_MS) {
        return response;
      }
      await wait(backOff(attempts, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, Math.random()));
    }
  };
}

function isRead({ method, url }: Request): boolean {
  return method === 'GET' && /\/(lab\/api|api\/contents)(\/|$)/.test(new URL(url).pathname);
}

function isLater({ status, headers }: Response): boolean {
  return status === 503 && headers.has('Retry-After');
}
