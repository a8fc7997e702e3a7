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
    const late = wait(ANSWER_MS).then(() => false);
    const answers = ask().then(
      () => true,
      () => false
    );
    if (await Promise.race([answers, late])) {
      return false;
    }
    if (asked >= LEAST_ASKED && now() - since >= ABSENT_MS) {
      return true;
    }
  }
}

/** What tells that a kernel's stream is connected: then a server is back. */
interface IConnections {
  readonly connected: {
    connect(slot: () => void): void;
    disconnect(slot: () => void): void;
  };
}

/**
 * Wait for the given time in ms, or until a stream is connected.
 *
 * @returns whether one is.
 */
export function pauseUnlessBack(time: number, streams: IConnections | null): Promise<boolean> {
  return new Promise(resolve => {
    const end = (isBack: boolean) => {
      clearTimeout(timer);
      streams?.connected.disconnect(back);
      resolve(isBack);
    };
    const back = () => end(true);
    const timer = setTimeout(() => end(false), time);
    streams?.connected.connect(back);
  });
}
