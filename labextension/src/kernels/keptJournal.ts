import { type IHeldMetadata, SOURCE_LENGTH } from '../contents/heldMetadata.js';
import { type Death, DIED, died, outputOfDeath } from '../outputs/kernelDied.js';
import { type IHole, takeHoles } from '../stream/missingMessages.js';

/** What the store has of a kernel that has ended: docs/protocols.md, "Parts of the journal". */
export interface IKeptJournal {
  readonly kernel: string;
  readonly journal: string;
  /** When it said the last of it. */
  readonly changed: string;
  /** What its agent said last of its process, as in docs/protocols.md: `running`, `dead` … */
  readonly process: string;
  /** What its agent said of that: also why an earlier process ended, after which another one ran. */
  readonly reason: string;
}

/** The head of what a lab answers. */
export interface IKeptHead extends IKeptJournal {
  /** The journals of all launches of the kernel, the newest first. */
  readonly journals: readonly string[];
  /** The kernel as gateways know it, at its last launch; null if they do not. */
  readonly end: { readonly state: string; readonly reason: string } | null;
  /** What it said in its last seconds may be missing; null if it is not known how many. */
  readonly lost_seconds: number | null;
  readonly missing: readonly [number, number][];
  readonly requests: readonly IKeptRequest[];
  readonly numbers: readonly number[];
}

/** One execution of a cell. */
export interface IKeptRequest {
  readonly request: string;
  readonly cell: string | null;
  readonly count: number | null;
  /** The numbers of its first message and of its last output; 0 if there is none. */
  readonly first: number;
  readonly last: number;
  readonly state: string;
  /** Its `status`. */
  readonly reply: string | null;
  readonly sent: string | null;
  /** The SHA-256 of its code, in hexadecimal; null if it is not known. */
  readonly source: string | null;
}

/** A code cell of the notebook. */
export interface IShownCell {
  readonly id: string;
  readonly count: number | null;
  readonly outputs: readonly IOutput[];
  /** Which request's outputs it has, and up to which number; null if the file does not say. */
  readonly held: { readonly request: string; readonly number: number } | null;
}

/** An output of nbformat. */
export interface IOutput {
  output_type: string;
  [member: string]: unknown;
}

/** What of a message of the kernel makes outputs. */
export interface IKernelMessage {
  readonly header: { readonly msg_type: string };
  readonly parent_header: { readonly msg_id?: string };
  readonly content: Record<string, unknown>;
}

/**
 * The head of an answer, and its messages in the layout of the kernel's websocket.
 *
 * @throws RangeError or SyntaxError if it is no such answer.
 */
export function parseKept(body: ArrayBuffer): { head: IKeptHead; messages: ArrayBuffer[] } {
  const view = new DataView(body);
  const pieces: ArrayBuffer[] = [];
  for (let place = 0; place < body.byteLength;) {
    const start = place + 4;
    place = start + view.getUint32(start - 4);
    pieces.push(body.slice(start, place));
  }
  const [head, ...messages] = pieces;
  return { head: JSON.parse(new TextDecoder().decode(head)) as IKeptHead, messages };
}

/** Whether a kernel that was kept has ended, as far as anybody knows. */
export function hasEnded({ end }: IKeptHead): boolean {
  return end === null || end.state === 'dead' || end.state === 'deleted';
}

/**
 * Why it has ended; empty if nobody knows. Where the agent ended before it could say so, its last reason
 * is that of an earlier process.
 */
export function endReason({ end, journal, journals, process, reason }: IKeptHead): string {
  if (process === 'dead' && reason) {
    return reason;
  }
  // What gateways know is about the last launch.
  return journal === journals[0] ? (end?.reason ?? '') : '';
}

/** For each cell of the notebook its last request, if the cell does not show all of that. */
export function newsOf(
  requests: readonly IKeptRequest[],
  cells: readonly IShownCell[]
): IKeptRequest[] {
  const latest = new Map(requests.map(one => [one.cell, one]));
  return cells.flatMap(cell => {
    const record = latest.get(cell.id);
    if (!record) {
      return [];
    }
    // Of a cell that never ended only its outputs tell whether it says so.
    return isCut(record) || (record.last > 0 && !isShown(record, cell)) ? [record] : [];
  });
}

/** Whether a request ran when its kernel ended, and nobody has said anything about its end. */
function isCut({ state }: IKeptRequest): boolean {
  return state === 'running';
}

/**
 * The last request that a kernel ran, if that is of no cell and failed: programs that run notebooks
 * (nbclient, papermill) name no cells.
 */
export function failedWithoutCell(requests: readonly IKeptRequest[]): IKeptRequest[] {
  const ran = requests.filter(
    one => isCut(one) || (one.state === 'done' && one.reply !== 'aborted')
  );
  return ran.slice(-1).filter(one => one.cell === null && (isCut(one) || one.reply === 'error'));
}

/**
 * What a request shows after these outputs: one in which its kernel ended says so.
 *
 * @param messages - All that the store has.
 * @returns nothing of a request without a cell whose kernel did not die in it: who ran it has the rest.
 */
export function withEnd(
  outputs: readonly IOutput[],
  record: IKeptRequest,
  messages: readonly IKernelMessage[],
  head: IKeptHead
): IOutput[] {
  const end = isCut(record) ? died(endReason(head)) : saidEnd(record, messages);
  if (record.cell === null && end?.output_type !== 'error') {
    return [];
  }
  return end ? [...outputs, end] : [...outputs];
}

/** What the agent has said of the end of a request, if its kernel ended while it ran. */
function saidEnd({ request }: IKeptRequest, messages: readonly IKernelMessage[]): Death | null {
  const reply = messages.find(
    ({ header, parent_header: parent, content }) =>
      header.msg_type === 'execute_reply' && parent.msg_id === request && content.status === 'error'
  );
  return reply ? outputOfDeath(reply) : null;
}

function isShown(record: IKeptRequest, { held, count, outputs }: IShownCell): boolean {
  if (held) {
    return held.request === record.request && held.number >= record.last;
  }
  return outputs.length > 0 && count !== null && count === record.count;
}

/** What a cell holds that shows all that the store has of a request. */
export function heldOf(
  { request, last, sent, source }: IKeptRequest,
  journal: string
): IHeldMetadata {
  return {
    request,
    number: last,
    journal,
    ...(sent && { sent }),
    ...(source && { source: source.slice(0, SOURCE_LENGTH) })
  };
}

/** Whether a cell shows these outputs already. */
export function sameOutputs(some: readonly IOutput[], others: readonly IOutput[]): boolean {
  const plain = (outputs: readonly IOutput[]) => JSON.stringify(outputs.map(plainOutput));
  return plain(some) === plain(others);
}

function plainOutput({ output_type: type, text, data, ename, evalue }: IOutput): unknown {
  if (ename === DIED) {
    // Who was there and who was not may have been told in other words.
    return ename;
  }
  return [type, Array.isArray(text) ? text.join('') : text, data, ename, evalue];
}

/**
 * The messages, with one in the place of each hole of a request that says so.
 *
 * @param numbers - Those of the messages, in the same order.
 */
export function withHoles(
  messages: readonly IKernelMessage[],
  numbers: readonly number[],
  request: string,
  holes: readonly IHole[],
  missingText: (count: number) => string
): IKernelMessage[] {
  const found: IKernelMessage[] = [];
  const left = [...holes].sort((a, b) => a.last - b.last);
  const tell = (before: number) => {
    const count = takeHoles(left, before);
    if (count) {
      const data = { 'text/plain': missingText(count) };
      const header = { msg_type: 'display_data' };
      found.push({ header, parent_header: { msg_id: request }, content: { data, metadata: {} } });
    }
  };
  messages.forEach((message, at) => {
    if (message.parent_header.msg_id === request) {
      tell(numbers[at]);
    }
    found.push(message);
  });
  tell(Infinity);
  return found;
}

/** The outputs that the messages of a request make, one after the other. */
export function outputsOf(messages: readonly IKernelMessage[], request: string): IOutput[] {
  let outputs: IOutput[] = [];
  let clears = false;
  const displays = new Map<string, IOutput[]>();
  for (const { header, parent_header: parent, content } of messages) {
    const type = header.msg_type;
    const { display_id: display } = (content.transient ?? {}) as { display_id?: string };
    if (type === 'update_display_data' && display !== undefined) {
      for (const shown of displays.get(display) ?? []) {
        Object.assign(shown, { data: content.data, metadata: content.metadata });
      }
    }
    if (parent.msg_id !== request) {
      continue;
    }
    if (type === 'clear_output') {
      clears = !!content.wait;
      outputs = clears ? outputs : [];
      continue;
    }
    const output = outputOf(type, content);
    if (!output) {
      continue;
    }
    outputs = clears ? [] : outputs;
    clears = false;
    const last = outputs[outputs.length - 1];
    if (type === 'stream' && last?.output_type === 'stream' && last.name === output.name) {
      last.text = `${last.text as string}${output.text as string}`;
    } else {
      outputs.push(output);
    }
    if (display !== undefined) {
      displays.set(display, [...(displays.get(display) ?? []), output]);
    }
  }
  return outputs;
}

function outputOf(type: string, content: Record<string, unknown>): IOutput | null {
  const { name, text, data, metadata, execution_count, ename, evalue, traceback } = content;
  switch (type) {
    case 'stream':
      return { output_type: type, name, text };
    case 'display_data':
      return { output_type: type, data, metadata };
    case 'execute_result':
      return { output_type: type, data, metadata, execution_count };
    case 'error':
      return { output_type: type, ename, evalue, traceback };
    default:
      return null;
  }
}
