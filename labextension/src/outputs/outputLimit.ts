import type { KernelMessage } from '@jupyterlab/services';

import { ITerminalLine, countLines, write } from './terminalLine.js';

type Message = KernelMessage.IMessage;

/** How much of the output of one execution the page keeps in its notebook. */
export interface IBounds {
  /** Lines and characters of text from the start. */
  headLines: number;
  headCharacters: number;
  /** Lines and characters of text from the end. */
  tailLines: number;
  tailCharacters: number;
  /** Outputs other than text (plots, tables) from the start and from the end. */
  headOutputs: number;
  tailOutputs: number;
}

/** A size that JupyterLab can append to ten times a second, in a notebook that can still be saved. */
export const BOUNDS: IBounds = {
  headLines: 20_000,
  headCharacters: 2_000_000,
  tailLines: 2_000,
  tailCharacters: 200_000,
  headOutputs: 500,
  tailOutputs: 10
};

/** What is missing between head and tail. */
export interface IOmitted {
  lines: number;
  characters: number;
  outputs: number;
}

/** Under this key the metadata of an output say how much is missing before it. */
export const OMITTED = 'jupyter_fleet_omitted';

/** Executions whose counts are remembered: threads print after their cell has ended. */
const REMEMBERED = 50;

/**
 * Bounds what the executions of one kernel add to a notebook.
 *
 * The head of what an execution says goes through as it comes. What follows is kept back; in its
 * place there is one more output, which says how much is missing and shows the end, and is updated
 * while the execution goes on. It is an ordinary output with an id: it is saved, and any other reader
 * of the notebook shows it too.
 */
export class OutputLimit {
  constructor(bounds: IBounds = BOUNDS) {
    this._bounds = bounds;
  }

  /** @returns what takes the place of `message`, in order: itself, parts of it, or nothing. */
  accept(message: Message): Message[] {
    const parent = parentOf(message);
    if (!parent || message.channel !== 'iopub') {
      return [message];
    }
    const type = message.header.msg_type;
    if (type === 'status') {
      const idle = (message.content as { execution_state?: string }).execution_state === 'idle';
      const execution = this._executions.get(parent);
      return idle && execution ? [...execution.update(), ...execution.last(), message] : [message];
    }
    if (!OUTPUT_TYPES.has(type)) {
      return [message];
    }
    return this._execution(parent).accept(message);
  }

  /** All that an execution has said comes again, from the first message on. */
  beginAnew(execution: string): void {
    this._executions.delete(execution);
  }

  /** Whether `update` has something new. */
  get stale(): boolean {
    return [...this._executions.values()].some(execution => execution.stale);
  }

  /** How many characters the output holds that `message` is added to. */
  held(message: Message): number {
    return this._executions.get(parentOf(message))?.held ?? 0;
  }

  /** The present ends of the outputs that are being cut. */
  update(): Message[] {
    return [...this._executions.values()].flatMap(execution => execution.update());
  }

  private _execution(parent: string): Execution {
    const execution = this._executions.get(parent) ?? new Execution(this._bounds);
    this._executions.delete(parent);
    this._executions.set(parent, execution);
    if (this._executions.size > REMEMBERED) {
      const [oldest] = this._executions.keys();
      this._executions.delete(oldest);
    }
    return execution;
  }

  private readonly _bounds: IBounds;
  private readonly _executions = new Map<string, Execution>();
}

/** The messages that change the outputs of a cell. */
export const OUTPUT_TYPES = new Set([
  'stream',
  'display_data',
  'execute_result',
  'error',
  'clear_output',
  'update_display_data'
]);

/** The id of the request that a message answers; empty if it answers none. */
export function parentOf(message: Message): string {
  return (message.parent_header as { msg_id?: string })?.msg_id ?? '';
}

/** The output of one execution since it was last cleared. */
class Execution {
  constructor(private readonly _bounds: IBounds) {
    this._tail = new Tail(_bounds);
  }

  /** Whether the output that shows the end is behind. */
  stale = false;

  get held(): number {
    return this._characters;
  }

  accept(message: Message): Message[] {
    const type = message.header.msg_type;
    if (type === 'clear_output') {
      if ((message.content as { wait?: boolean }).wait) {
        this._clearNext = true;
      } else {
        this._clear();
      }
      return [message];
    }
    if (type === 'update_display_data') {
      return [message];
    }
    if (this._clearNext) {
      this._clear();
    }
    if (type === 'stream') {
      return this._stream(message as KernelMessage.IStreamMsg);
    }
    this._streamName = '';
    this._line = NO_LINE;
    // The result and the error come once and say how it ended.
    if (type !== 'display_data') {
      return [...this.update(), ...this.last(), message];
    }
    if (this._outputs < this._bounds.headOutputs) {
      this._outputs += 1;
      return [message];
    }
    this._last.push(message);
    if (this._last.length > this._bounds.tailOutputs) {
      this._last.shift();
      this._omittedOutputs += 1;
    }
    return this._behind(message);
  }

  /** The output that shows the end, if it is behind. */
  update(): Message[] {
    if (!this.stale || !this._model || this._clearNext) {
      return [];
    }
    this.stale = false;
    return [this._ending('update_display_data')];
  }

  /** The last outputs other than text that were kept back. */
  last(): Message[] {
    return this._last.splice(0);
  }

  private _stream(message: KernelMessage.IStreamMsg): Message[] {
    const { name, text } = message.content;
    if (this._over) {
      this._tail.write(name, text);
      return this._behind(message);
    }
    const sameOutput = name === this._streamName;
    if (!sameOutput) {
      // JupyterLab begins another output.
      this._outputs += 1;
      this._streamName = name;
      this._line = NO_LINE;
    }
    const before = this._line;
    const written = write(before, text);
    const characters =
      this._characters + written.done.length + written.line.text.length - before.text.length;
    const lines = this._lines + countLines(written.done);
    if (
      characters <= this._bounds.headCharacters &&
      lines <= this._bounds.headLines &&
      this._outputs <= this._bounds.headOutputs
    ) {
      this._characters = characters;
      this._lines = lines;
      this._line = written.line;
      return [withText(message, written.output)];
    }
    // The rest of the head; what is above it begins the tail.
    const all = written.done + written.line.text;
    const fits =
      this._outputs > this._bounds.headOutputs
        ? 0
        : headOf(
            all,
            this._bounds.headLines - this._lines,
            this._bounds.headCharacters - this._characters + before.text.length
          );
    const head = fits > before.text.length ? all.slice(0, fits) : before.text;
    this._tail.write(name, all.slice(head.length));
    return [
      ...(head === before.text ? [] : [withText(message, write(before, `\r${head}`).output)]),
      ...this._behind(message)
    ];
  }

  /** The end has changed: announce it with the first change, note it with the others. */
  private _behind(message: Message): Message[] {
    this._over = true;
    // Without its content, which may be long.
    this._latest = { ...message, content: {}, buffers: [] };
    if (this._model) {
      this.stale = true;
      return [];
    }
    this._model = this._latest;
    return [this._ending('display_data')];
  }

  private _ending(type: 'display_data' | 'update_display_data'): Message {
    const tail = this._tail.read();
    const omitted: IOmitted = { ...tail.omitted, outputs: this._omittedOutputs };
    const model = this._model!;
    return {
      // With all that others have noted of the latest message that it shows.
      ...this._latest!,
      header: { ...model.header, msg_type: type },
      content: {
        data: { 'text/plain': `${describe(omitted)}\n${tail.text}` },
        metadata: { [OMITTED]: { ...omitted } },
        transient: { display_id: `fleet-end-of-${model.header.msg_id}` }
      },
      buffers: []
    };
  }

  private _clear(): void {
    this._clearNext = false;
    this._over = false;
    this._model = null;
    this.stale = false;
    this._characters = this._lines = this._outputs = 0;
    this._omittedOutputs = 0;
    this._streamName = '';
    this._line = NO_LINE;
    this._tail = new Tail(this._bounds);
    this._last = [];
  }

  private _characters = 0;
  private _lines = 0;
  private _outputs = 0;
  private _streamName = '';
  private _line: ITerminalLine = NO_LINE;
  private _clearNext = false;
  private _over = false;
  private _tail: Tail;
  private _last: Message[] = [];
  private _omittedOutputs = 0;
  /** The message that the output with the end stands for; null while there is no such output. */
  private _model: Message | null = null;
  /** The latest message that was kept back. */
  private _latest: Message | null = null;
}

const NO_LINE: ITerminalLine = { text: '', cursor: 0 };

/** The end of a text of any length, in bounded memory. */
class Tail {
  constructor(private readonly _bounds: IBounds) {}

  write(name: string, text: string): void {
    if (name !== this._name) {
      this._name = name;
      this._finish();
    }
    const { done, line } = write(this._line, text);
    this._keep(done);
    this._line = line;
    const excess = line.text.length - this._bounds.tailCharacters;
    if (excess > 0) {
      this._omitted.characters += excess;
      this._line = {
        text: line.text.slice(excess),
        cursor: Math.max(0, line.cursor - excess)
      };
    }
  }

  /** The text that is kept, and what is missing before it. */
  read(): { text: string; omitted: { lines: number; characters: number } } {
    this._shorten(1);
    return {
      text: this._kept + this._line.text,
      omitted: { ...this._omitted }
    };
  }

  private _finish(): void {
    if (this._line.text) {
      this._keep(`${this._line.text}\n`);
      this._line = NO_LINE;
    }
  }

  private _keep(done: string): void {
    this._kept += done;
    // Not at each line: cutting costs as much as what is kept.
    this._shorten(4);
  }

  /** Cut what is kept to the bounds if it is more than `times` as long. */
  private _shorten(times: number): void {
    const { tailLines, tailCharacters } = this._bounds;
    const lines = countLines(this._kept);
    if (this._kept.length <= times * tailCharacters && lines <= times * tailLines) {
      return;
    }
    let start = this._kept.length - Math.min(this._kept.length, tailCharacters);
    if (start > 0) {
      const next = this._kept.indexOf('\n', start);
      start = next >= 0 && next + 1 < this._kept.length ? next + 1 : start;
    }
    for (
      let excess = lines - countLines(this._kept.slice(0, start)) - tailLines;
      excess > 0;
      excess -= 1
    ) {
      start = this._kept.indexOf('\n', start) + 1;
    }
    const dropped = this._kept.slice(0, start);
    this._omitted.lines += countLines(dropped);
    this._omitted.characters += dropped.length;
    // A slice would hold on to the whole text.
    this._kept = copyOf(this._kept.slice(start));
  }

  private _name = '';
  private _kept = '';
  private _line: ITerminalLine = NO_LINE;
  private readonly _omitted = { lines: 0, characters: 0 };
}

/** How long the start of `text` is that holds no more than so many lines and characters. */
function headOf(text: string, lines: number, characters: number): number {
  let end = 0;
  for (let count = 0; count < lines; count += 1) {
    const next = text.indexOf('\n', end);
    if (next < 0 || next + 1 > characters) {
      break;
    }
    end = next + 1;
  }
  // A single line that is longer than everything.
  return end === 0 && lines > 0 ? Math.max(0, Math.min(text.length, characters)) : end;
}

/** The sentence that is shown where something is missing. */
export function describe(omitted: IOmitted): string {
  const parts = [];
  if (omitted.characters) {
    const size = sizeOf(omitted.characters);
    // Part of one long line is no line.
    parts.push(omitted.lines ? `${counted(omitted.lines, 'line')} (${size})` : `${size} of text`);
  }
  if (omitted.outputs) {
    parts.push(counted(omitted.outputs, 'output'));
  }
  return parts.length
    ? `[… not kept in this notebook: ${parts.join(' and ')} …]`
    : '[… continued …]';
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString('en')} ${noun}${count === 1 ? '' : 's'}`;
}

function sizeOf(characters: number): string {
  return characters < 1e6
    ? `${Math.ceil(characters / 1e3)} kB`
    : `${(characters / 1e6).toFixed(1)} MB`;
}

function copyOf(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}

function withText(message: KernelMessage.IStreamMsg, text: string): Message {
  return text === message.content.text
    ? message
    : { ...message, content: { ...message.content, text } };
}
