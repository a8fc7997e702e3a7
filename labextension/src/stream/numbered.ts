import type { KernelMessage } from '@jupyterlab/services';

type Message = KernelMessage.IMessage;

/** A copy of a message (`{...message}`) keeps its numbers. */
const NUMBERS = Symbol('numbers in the journal');

interface INumbers {
  /** The message that is the earliest of those that were joined; undefined for one of a replay. */
  readonly first: number | undefined;
  readonly last: number;
  /** Whether messages are missing before it. */
  readonly isBehindHole?: boolean;
}

type Numbered = Message & { readonly [NUMBERS]?: INumbers };

/** A message with its number in the kernel's journal. */
export function numbered(message: Message, number: number): Message {
  return { ...message, [NUMBERS]: { first: number, last: number } } as Message;
}

/**
 * A message that was in a replay: it waits for no acknowledgment of its own.
 *
 * @param isBehindHole - Whether messages are missing before it.
 */
export function replayed(message: Message, number: number, isBehindHole = false): Message {
  return { ...message, [NUMBERS]: { first: undefined, last: number, isBehindHole } } as Message;
}

/** Whether messages are missing before this one: it cannot be joined to an earlier one. */
export function isBehindHole(message: Message): boolean {
  return !!(message as Numbered)[NUMBERS]?.isBehindHole;
}

/** `message` with what `next` said in it as well. */
export function joinedNumbers(message: Message, next: Message): Message {
  const before = (message as Numbered)[NUMBERS];
  const after = (next as Numbered)[NUMBERS];
  return after === undefined
    ? message
    : ({
        ...message,
        [NUMBERS]: { ...before, first: before?.first ?? after.first, last: after.last }
      } as Message);
}

/**
 * The number in the journal of a message that JupyterLab handles, of a joined one the last; undefined
 * if it is not in the journal.
 */
export function numberOf(message: Message): number | undefined {
  return (message as Numbered)[NUMBERS]?.last;
}

/** The first number of a message that has not been acknowledged; undefined if it has none. */
export function firstNumberOf(message: Message): number | undefined {
  return (message as Numbered)[NUMBERS]?.first;
}
