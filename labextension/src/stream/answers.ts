import type { KernelMessage } from '@jupyterlab/services';

import { DIED } from '../outputs/kernelDied.js';
import type { IHeading } from './clientFrames.js';
import { madeMessage } from './madeMessages.js';

type Message = KernelMessage.IMessage;

/**
 * Bytes of one message: the limit of a lab's websocket, less what a frame adds. What is longer would
 * cut the connection without a word, again and again.
 */
export const LONGEST_MESSAGE = 64 * 1024 * 1024 - 1024;

/** What a kernel says of a request that it does not run; nothing if nobody waits for an answer. */
export function abortedAnswers(session: string, { channel, header }: IHeading): Message[] {
  return answers(session, channel, header, { status: 'aborted' });
}

/** The answers to a request that was on its way when the kernel ended: its cell says so. */
export function endedAnswers(session: string, { channel, header }: IHeading): Message[] {
  return answers(session, channel, header, { status: 'aborted', ename: DIED, evalue: '' });
}

/** The answers to a request that is too long to be sent: the cell shows why. */
export function tooLongAnswers(session: string, heading: IHeading, bytes: number): Message[] {
  return errorAnswers(
    session,
    heading,
    'MessageTooLong',
    `this has ${megabytes(bytes)} MB, and a page can send a kernel at most ` +
      `${megabytes(LONGEST_MESSAGE)} MB at once: put long data into a file`
  );
}

/** The answers to a request that servers take for no message, so that it never reaches the kernel. */
export function invalidAnswers(session: string, heading: IHeading): Message[] {
  return errorAnswers(
    session,
    heading,
    'InvalidMessage',
    'the server cannot read what this page sent, and it was not run: run it again, or reload the page'
  );
}

function errorAnswers(
  session: string,
  { channel, header }: IHeading,
  ename: string,
  evalue: string
): Message[] {
  const error = { ename, evalue, traceback: [`${ename}: ${evalue}`] };
  const rest = answers(session, channel, header, { status: 'error', ...error });
  return header.msg_type === 'execute_request'
    ? [madeMessage(session, 'iopub', 'error', error, header), ...rest]
    : rest;
}

function answers(
  session: string,
  channel: string,
  header: IHeading['header'],
  content: object
): Message[] {
  if (!header.msg_type.endsWith('_request')) {
    return [];
  }
  const reply = header.msg_type.replace(/_request$/, '_reply');
  return [
    madeMessage(session, channel, reply, content, header),
    madeMessage(session, 'iopub', 'status', { execution_state: 'idle' }, header)
  ];
}

function megabytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}
