import type { KernelMessage, ServerConnection } from '@jupyterlab/services';

import { OutputLimit, parentOf } from '../outputs/outputLimit.js';
import { Asked, type IQuestion, type IReplayPart } from './asked.js';
import { AskedState } from './askedState.js';
import { EarlierProcess, type IEndedProcess } from './earlierProcess.js';
import { past } from './executionState.js';
import { earliestOf, Handover } from './handover.js';
import { HeldBack, isAnswered, isWanted } from './heldBack.js';
import { withWebLinks } from './helpLinks.js';
import { FLEET_CHANNEL, isFleet, madeMessage } from './madeMessages.js';
import { MessageQueue } from './messageQueue.js';
import { numbered, numberOf } from './numbered.js';
import type { KernelPeople } from './kernelPeople.js';
import type { IRecord } from './record.js';
import { SeenMessages } from './seenMessages.js';
import { turn } from './turn.js';
import { V1_PROTOCOL } from './wire.js';

type Message = KernelMessage.IMessage;

/** When nobody takes up old requests, what was held back goes on. */
const HOLD_MS = 8_000;
/** The messages of an answer are read for so long in one task. */
const READ_MS = 10;

export interface IIncomingOptions {
  readonly sessionId: string;
  readonly serializer: ServerConnection.ISettings['serializer'];
  readonly people: KernelPeople;
  readonly state: (say: (message: Message) => void) => AskedState;
  /** Gives JupyterLab a message or, if that cannot be read, its data. */
  readonly give: (data: unknown) => void;
  readonly announce: (record: IRecord) => void;
  /** Called when `earlier` has changed. */
  readonly restarted: () => void;
  /** Called when a user has interrupted what runs. */
  readonly interrupted: (by: string) => void;
  /** Sends a message to the agent. */
  readonly send: (message: Message) => void;
  /** Called when something has been handed over. */
  readonly onGiven: () => void;
}

/**
 * What a kernel says to this page, on its way to JupyterLab: each message once and in order, over all
 * connections.
 *
 * What others made the kernel say waits until the page has asked what its cells lack (`HeldBack`).
 * Then it goes through the queue that keeps the page usable (`MessageQueue`) within bounds
 * (`OutputLimit`) to JupyterLab, at the pace that this needs (`Handover`).
 */
export class Incoming {
  constructor(private readonly _options: IIncomingOptions) {
    this._held = new HeldBack(_options.sessionId);
    this._held.hold();
    this._handover = new Handover(message => this._give(message));
    this._queue = new MessageQueue(new OutputLimit(), message => this._handover.push(message));
    this.earlier = new EarlierProcess(_options.restarted);
    this.state = _options.state(message => this._queue.push(message));
  }

  readonly state: AskedState;
  readonly earlier: EarlierProcess;

  /** The last number that has come; null if the page has never been connected with a cursor. */
  received: number | null = null;

  /** The last number before which everything has been handed over. */
  get acknowledged(): number {
    const waiting = Math.min(
      earliestOf(this._held.waiting),
      earliestOf(this._behind),
      earliestOf(this._queue.waiting),
      earliestOf(this._handover.waiting)
    );
    return Math.min(waiting - 1, this.received ?? 0);
  }

  /** A message with a number of the journal has come, perhaps again. */
  take(number: number, data: ArrayBuffer): void {
    if (number <= (this.received ?? 0)) {
      return;
    }
    this.received = number;
    let message: Message;
    try {
      message = numbered(this._read(data, V1_PROTOCOL), number);
      message = this._options.people.taken(message, number);
      this._seen.add(message);
    } catch (error) {
      // It would come again and again.
      console.error(error);
      return;
    }
    if (isFleet(message) && message.header.msg_type === ('replay' as string)) {
      if (parentOf(message) === this._asked?.id) {
        this._held.holdAll();
      }
      this._parts += 1;
      this._answering = this._answering
        .then(() => this._answer(message))
        .catch(error => this._unreadable(message, error))
        .then(() => this._answered());
    } else if (this._parts) {
      this._behind.push(message);
    } else {
      this._takeLive(message);
    }
  }

  private _takeLive(message: Message): void {
    if (!this._held.takes(message)) {
      this.push(message);
    }
  }

  /** A part of an answer has been taken; what came behind it is next. */
  private _answered(): void {
    this._parts -= 1;
    if (!this._parts) {
      this._behind.splice(0).forEach(message => this._takeLive(message));
    }
  }

  /** An answer makes no sense: the page goes on without it, rather than wait for its end. */
  private _unreadable(answer: Message, error: unknown): void {
    console.error(error);
    if (parentOf(answer) === this._asked?.id) {
      this._giveUp();
      this.release();
    }
  }

  /** Data of a connection without a cursor have come. */
  takePlain(data: string | ArrayBuffer, protocol: string): void {
    let message: Message;
    try {
      message = this._read(data, protocol);
    } catch {
      // JupyterLab reads it once more, and says what is wrong with it.
      this._options.give(data);
      return;
    }
    if (!this._seen.has(message)) {
      this._seen.add(message);
      this.push(this._options.people.taken(message));
    }
  }

  /** Hand over a message that may have no number. One that cannot be read holds up no others. */
  push(message: Message): void {
    try {
      this._push(message);
    } catch (error) {
      console.error(error);
    }
  }

  private _push(message: Message): void {
    if (isFleet(message)) {
      this._queue.push(message);
    } else {
      this.state.heard(message, heard => this._queue.push(heard));
    }
  }

  /** Somebody takes messages from now on, or nobody. */
  resume(): void {
    this._handover.resume();
  }
  pause(): void {
    this._handover.pause();
  }

  /** Hand over all that waits; resolves when JupyterLab has handled it. */
  async flush(): Promise<void> {
    this._queue.flush();
    await this._handover.handled();
  }

  /** Nothing will come any more, no answer either: hand over all that waits. */
  async finish(): Promise<void> {
    this._asked = null;
    this.release();
    await this.flush();
  }

  /** Nobody will take messages any more. */
  stop(): void {
    clearTimeout(this._holdTimer);
    this.state.stop();
    this._options.people.stop();
    this._queue.clear();
    this._handover.stop();
    this._giveUp();
    this._question = null;
  }

  /** Nobody asks: what has waited goes on. */
  release(): void {
    if (!this._asked) {
      this._held.release().forEach(message => this.push(message));
    }
  }

  ask(question: IQuestion): void {
    this._question?.answered();
    this._question = question;
    this._ask();
  }

  /** Ask as soon as there is a cursor. Without one there is no answer: nobody waits for it. */
  askLater(question: IQuestion): void {
    this._question = question;
    question.answered();
  }

  /** The page is connected with a cursor for the first time, or again: the journal is at `start`. */
  begin(start: number): void {
    this.received = start;
    this._options.people.reached(start);
    clearTimeout(this._holdTimer);
    this._holdTimer = setTimeout(() => this.release(), HOLD_MS);
    if (this._question && !this._asked) {
      // What was said since the connection without a cursor ended has not come.
      this._ask();
    }
  }

  /** The last question, or its answer, has been lost on its way: ask again. */
  askAgain(): void {
    if (this._asked) {
      this._ask();
    }
  }

  /**
   * Messages are missing from a journal that keeps so many bytes: the cells lack something, also those
   * of this page. What follows waits for the answer, which says where.
   */
  missed(limit: number | null): void {
    this.limit = limit;
    this._options.people.lost();
    this.state.start();
    if (this._question) {
      this._ask();
      this._held.holdAll(this._asked!.requests);
    }
  }

  /** The kernel has another journal, and has had no number of this one; it is at `start`. */
  startAnew(start: number): void {
    this.received = start;
    this._options.people.lost();
    this._options.people.reached(start);
    this.state.start();
    this.release();
    this.askAgain();
  }

  /** There is no cursor: what is to be asked waits until there is one. */
  withoutCursor(): void {
    this.received = null;
    this._seen.began();
    this._options.people.withoutCursor();
    this._giveUp();
    this.release();
  }

  /** A request that the question's `begin` adopts gets its messages from the first one. */
  adopt(request: string): void {
    if (this._asked) {
      this._asked.adopted.add(request);
      this._queue.beginAnew(request);
    }
  }

  private _read(data: string | ArrayBuffer, protocol: string): Message {
    return withWebLinks(this._options.serializer.deserialize(data as ArrayBuffer, protocol));
  }

  /** There will be no answer. */
  private _giveUp(): void {
    this._asked = null;
    this._queue.catchUp(false);
    this._question?.answered();
  }

  private _ask(): void {
    this._held.hold();
    const cells = this._question!.cells();
    const message = madeMessage(this._options.sessionId, FLEET_CHANNEL, 'ask', {
      cells,
      adopt: true
    });
    this._asked = new Asked(message.header.msg_id, Object.values(cells));
    this._options.send(message);
  }

  private async _answer(message: Message): Promise<void> {
    const asked = this._asked;
    if (!asked || parentOf(message) !== asked.id) {
      // Answers a question that has been asked again.
      return;
    }
    const content = message.content as unknown as IReplayPart;
    if (content.part === 1) {
      // What has come before is older.
      await this.flush();
      if (asked !== this._asked) {
        return;
      }
      this._queue.catchUp(true);
      this._begin(asked, content);
    } else if (content.missing.length) {
      asked.lacks(content.missing);
      this._tell(({ lacks }) => lacks(content.missing));
    }
    let looked = performance.now();
    for (const [at, buffer] of message.buffers!.entries()) {
      try {
        this._replay(asked, content.numbers[at], (buffer as DataView).buffer);
      } catch (error) {
        // Code of users may have published anything: it must not hold up the rest.
        console.error(error);
      }
      if (performance.now() - looked > READ_MS) {
        await turn();
        if (asked !== this._asked) {
          return;
        }
        looked = performance.now();
      }
    }
    if (content.part === content.parts) {
      asked.lostEnds(this._options.sessionId).forEach(end => this._queue.push(past(end)));
      this._asked = null;
      // Behind the answer to an earlier question there may be some of this one as well.
      const waiting = [...this._held.release(), ...this._behind.splice(0)];
      const { fence } = content;
      waiting.filter(one => !isAnswered(one, { ...asked, fence })).forEach(one => this.push(one));
      void this._handled(this._question!);
    }
  }

  private async _handled({ answered }: IQuestion): Promise<void> {
    await this._queue.emptied();
    if (!this._asked) {
      this._queue.catchUp(false);
    }
    await this._handover.handled();
    answered();
  }

  private _begin(asked: Asked, part: IReplayPart): void {
    const { index = [], missing, limit, restarted } = part;
    this._options.people.answered(part);
    this.limit = limit ?? this.limit;
    this.earlier.told(restarted);
    asked.answered(index, missing);
    this._tell(({ begin }) => begin(index, missing));
  }

  /** Notebooks that fail hold up no messages. */
  private _tell(tell: (question: IQuestion) => void): void {
    try {
      tell(this._question!);
    } catch (error) {
      console.error(error);
    }
  }

  private _replay(asked: Asked, number: number, data: ArrayBuffer): void {
    let message: Message;
    try {
      message = this._read(data, V1_PROTOCOL);
    } catch (error) {
      // The others must not wait for it.
      console.error(error);
      return;
    }
    if (!isWanted(message, asked.adopted)) {
      return;
    }
    message = this._options.people.replayed(asked.numbered(message, number), number);
    if (asked.done.has(parentOf(message))) {
      this._queue.push(past(message));
    } else {
      this.push(message);
    }
  }

  private _give(message: Message): void {
    if (!isFleet(message)) {
      this._options.give(message);
    } else if (message.header.msg_type === ('request' as string)) {
      const record = message.content as unknown as IRecord;
      this.earlier.heard(record);
      this._options.announce(record);
    } else if (message.header.msg_type === ('restarted' as string)) {
      this.earlier.restarted((message.content as { restarted: IEndedProcess | null }).restarted);
    } else if (message.header.msg_type === ('interrupted' as string)) {
      this._options.interrupted((message.content as unknown as { by: string }).by);
    }
    if (numberOf(message) !== undefined) {
      this._options.onGiven();
    }
  }

  /** How many bytes the kernel's journal keeps; null if it has not said. */
  limit: number | null = null;

  private readonly _seen = new SeenMessages();
  private readonly _held: HeldBack;
  private readonly _queue: MessageQueue;
  private readonly _handover: Handover;
  private _holdTimer: ReturnType<typeof setTimeout> | undefined;
  private _question: IQuestion | null = null;
  private _asked: Asked | null = null;
  private _answering: Promise<void> = Promise.resolve();
  /** How many parts of answers have come and have not been taken. */
  private _parts = 0;
  /** What came behind them. */
  private readonly _behind: Message[] = [];
}
