import type { IRecord } from '../stream/record.js';

/** How far the kernel is with a request whose cell is gone; `asks`: it waits for an answer. */
export type GoneState = IRecord['state'] | 'asks';

export function goneStateOf({ state, asks }: Pick<IRecord, 'state' | 'asks'>): GoneState {
  return state === 'running' && asks !== null ? 'asks' : state;
}

/**
 * Whether there is something to tell of such a request: what it said, that it asks, or that it keeps the
 * kernel busy.
 *
 * @param outputs - How many it has.
 * @param isLive - Whether another page has sent it while this one showed the notebook: most of these end
 * at once, and a line that comes and goes above the notebook would move what people read.
 */
export function isTold(state: GoneState, outputs: number, isLive: boolean): boolean {
  return outputs > 0 || state === 'asks' || (state !== 'done' && !isLive);
}
