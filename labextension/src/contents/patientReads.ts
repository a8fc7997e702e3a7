import { backOff } from '../page/backOff.js';
import type { Fetch } from '../user/signInFetch.js';

/** So long a file that is opened waits for labs: killed ones are back sooner. */
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
 * `fetch` whose reads wait while no lab can answer.
 *
 * A file that cannot be read when it is opened is a dialog and a closed tab. A 503 with `Retry-After`
 * says that nothing but time is needed.
 */
export function patientReads(fetch: Fetch, { now, wait }: IPatience = REAL): Fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const since = now();
    for (let attempts = 0; ; attempts += 1) {
      const response = await fetch(request.clone());
      const isLater = response.status === 503 && response.headers.has('Retry-After');
      if (request.method !== 'GET' || !isLater || now() - since >= LONGEST_MS) {
        return response;
      }
      await wait(backOff(attempts, FIRST_PAUSE_MS, LONGEST_PAUSE_MS, Math.random()));
    }
  };
}
