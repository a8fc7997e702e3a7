import { backOff } from '../page/backOff.js';

/** For how long nothing must have come from the server before a person hears of it. */
const ABSENT_MS = 10_000;
/** In that time the server is asked so often: a page that slept has not been without a server. */
const PAUSE_MS = 1_000;
const LEAST_ASKED = 5;
/** A server that has not answered by then counts as one that does not. */
const ANSWER_MS = 3_000;

/** What `staysAway` needs of the world; times are in ms. */
export interface IAsking {
  /** Ask the server; rejects if it gives no usable answer. */
  readonly ask: () => Promise<unknown>;
  readonly now: () => number;
  readonly wait: (time: number) => Promise<void>;
}

/**
 * Whether a server that has just failed to answer stays away: false as soon as it answers, true when
 * it has not for 10 s.
 */
export async function staysAway({ ask, now, wait }: IAsking): Promise<boolean> {
  const since = now();
  for (let asked = 1; ; asked += 1) {
    await wait(PAUSE_MS);
    if (await answers(ask, wait)) {
      return false;
    }
    if (asked >= LEAST_ASKED && now() - since >= ABSENT_MS) {
      return true;
    }
  }
}

/**
 * How long a page waits before it asks again whether the server is back: no longer the more often it has
 * asked, as a person waits to go on.
 */
const AGAIN_MS = 2_000;

/** What `untilBack` needs of the world. */
export interface IAskingAgain {
  /** Ask the server; rejects if it gives no usable answer. */
  readonly ask: () => Promise<unknown>;
  /** Wait for a time in ms, or until it is likely that the server is back. */
  readonly wait: (time: number) => Promise<unknown>;
  /** From 0 to 1. */
  readonly random: () => number;
}

/**
 * Ask a server that stays away until it answers.
 *
 * @param isOver - Whether nobody waits for it any more.
 * @returns whether it has answered.
 */
export async function untilBack(
  { ask, wait, random }: IAskingAgain,
  isOver: () => boolean
): Promise<boolean> {
  for (;;) {
    await wait(backOff(0, AGAIN_MS, AGAIN_MS, random()));
    if (isOver()) {
      return false;
    }
    if (await answers(ask, wait)) {
      return true;
    }
  }
}

/** Whether the server gives a usable answer in time. */
function answers(
  ask: () => Promise<unknown>,
  wait: (time: number) => Promise<unknown>
): Promise<boolean> {
  const late = wait(ANSWER_MS).then(() => false);
  const answered = ask().then(
    () => true,
    () => false
  );
  return Promise.race([answered, late]);
}

/** What tells that a kernel's stream is connected: then a server is back. */
interface IConnections {
  readonly connected: {
    connect(slot: () => void): void;
    disconnect(slot: () => void): void;
  };
}

/** Wait for the given time in ms, or until a stream is connected. */
export function pauseUnlessBack(time: number, streams: IConnections | null): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      clearTimeout(timer);
      streams?.connected.disconnect(end);
      resolve();
    };
    const timer = setTimeout(end, time);
    streams?.connected.connect(end);
  });
}
