import type { IRecord } from '../stream/record.js';

/** How far the kernel is with a request whose cell is gone; `asks`: it waits for an answer. */
export type GoneState = IRecord['state'] | 'asks';

export function goneStateOf({ state, asks }: Pick<IRecord, 'state' | 'asks'>): GoneState {
  return state === 'running' && asks !== null ? 'asks' : state;
}

/**
 * Whether there is something to tell of such a request: what it said, or that it keeps the kernel busy.
 *
 * @param outputs - How many it has.
 */
export function isTold(state: GoneState, outputs: number): boolean {
  return state !== 'done' || outputs > 0;
}
