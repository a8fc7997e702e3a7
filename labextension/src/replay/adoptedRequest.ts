import type { CodeCell } from '@jupyterlab/cells';
import type { OutputArea } from '@jupyterlab/outputarea';
import { Kernel, KernelMessage } from '@jupyterlab/services';

import { untrust } from '../outputs/untrust.js';
import { madeMessage } from '../stream/madeMessages.js';
import type { IHeld, IRecord } from '../stream/record.js';
import { numberOf } from '../stream/numbered.js';
import { holesBehind, type IHole, takeHoles } from '../stream/missingMessages.js';
import type { Refill } from './refills.js';
import { unheard } from './scheduledRequests.js';

/** A future of JupyterLab's own for a request. */
export type Future = Kernel.IShellFuture<
  KernelMessage.IExecuteRequestMsg,
  KernelMessage.IExecuteReplyMsg
>;

/** A request that another page has sent, and which of its questions this page takes. */
export interface IAsking {
  readonly record: IRecord;
  /** Everything up to this number had been said when the agent described the request. */
  readonly horizon: number;
  /** A question of the kernel waits no more. */
  dropQuestion(): void;
}

/** The same, and how its cell is filled. */
export interface IAdoption extends IAsking {
  readonly refill: Refill;
  /** What the page has of the cell. */
  readonly held: IHeld | null;
  readonly holes: readonly IHole[];
  /** Whether this tab has sent the request itself, with the code that the cell still has. */
  readonly isTrusted: boolean;
  /** Make a change of the notebook, with or without the mark that there is something to save. */
  change(change: () => void): void;
  /** The widget that shows the cell by now; undefined if the cell is gone, or filled by another request. */
  cellNow(future: Future): CodeCell | undefined;
  missingText(count: number): string;
}

/** Have JupyterLab make a future for a request without sending it. */
export function futureOf(
  kernel: Kernel.IKernelConnection,
  record: IRecord,
  code: string,
  cell: string | null
): Future {
  const message = KernelMessage.createMessage<KernelMessage.IExecuteRequestMsg>({
    msgId: record.request,
    msgType: 'execute_request',
    channel: 'shell',
    session: kernel.clientId,
    username: kernel.username,
    content: { code },
    metadata: { cellId: cell }
  });
  // Not disposed when it is done: later cells may change what it has displayed.
  const make = () => kernel.sendShellMessage(message, true, false) as Future;
  return record.state === 'done' ? unheard(kernel, make) : make();
}

/** The future of the request that fills an output area; null if there is none. */
export function futureIn(area: OutputArea): Future | null {
  // JupyterLab has none for an area that was never filled, whatever its type says.
  const future = area.future as Future | null | undefined;
  return future && !future.isDisposed ? future : null;
}

/** How a future's cell is filled, and which holes have not been shown. */
interface IFilling {
  readonly adoption: IAdoption;
  readonly left: IHole[];
  /** Whether JupyterLab has sent the request itself, in this page. */
  readonly isOwn: boolean;
  /** Whether the cell has stopped to be trusted; a person may trust it again. */
  isUntrusted: boolean;
  /** Whether the state has come that ends the request: again if its messages come again. */
  isIdle: boolean;
}

/** The messages on iopub whose outputs may run scripts where they are trusted. */
const RICH = new Set(['display_data', 'execute_result', 'update_display_data']);

const fillings = new WeakMap<Future, IFilling>();
/** Of requests that are over. JupyterLab says that once, also if all their messages come again. */
const replies = new WeakMap<Future, KernelMessage.IExecuteReplyMsg>();

/**
 * Fill a cell with what a request has said and will say; again if the request fills it already.
 *
 * Its outputs run no scripts unless this tab has sent the request: JupyterLab trusts what it hears of such
 * a request. Of others' code nobody here has decided that it may run.
 */
export function fillCell(cell: CodeCell, future: Future, adoption: IAdoption): void {
  const { refill } = adoption;
  const { model, outputArea } = cell;
  const isAttached = futureIn(outputArea) === future;
  const before = fillings.get(future);
  fillings.set(future, {
    adoption,
    left: [...adoption.holes],
    isOwn: before?.isOwn ?? isAttached,
    isUntrusted: refill !== 'follow',
    isIdle: refill === 'follow'
  });
  if (refill !== 'follow') {
    adoption.change(() => {
      if (refill === 'refill') {
        model.sharedModel.transact(() => model.clearExecution(), false, 'silent-change');
        if (!isAttached) {
          outputArea.future = future;
        }
      }
      if (!adoption.isTrusted) {
        untrust(model);
      } else if (refill === 'refill') {
        // As JupyterLab does when it runs a cell. What a cell keeps of a file stays as trusted as it is.
        model.trusted = true;
      }
      model.executionState = 'running';
    });
  }
  if (!isAttached && refill !== 'refill') {
    outputArea.reattachFuture(future);
  }
  if (!before) {
    if (refill === 'follow' && adoption.record.state === 'done' && !isAttached) {
      end(future, adoption.record);
    }
    wire(future);
  }
}

/**
 * Let JupyterLab know that a request is over whose last messages the page has seen before it was loaded:
 * it would take the cell for running once a person has undone that it was deleted.
 */
function end(future: Future, { reply, count }: IRecord): void {
  const { header } = future.msg;
  const content = { status: reply ?? 'ok', execution_count: count };
  // The interface hides how JupyterLab's own messages come to it.
  const handler = future as Future & { handleMsg(message: KernelMessage.IMessage): Promise<void> };
  void handler.handleMsg(madeMessage(header.session, 'shell', 'execute_reply', content, header));
  const idle = { execution_state: 'idle' };
  void handler.handleMsg(madeMessage(header.session, 'iopub', 'status', idle, header));
}

/** Something may come into outputs that are trusted, which this page has not asked for. */
function untrustOnce(future: Future): void {
  const filling = fillings.get(future)!;
  const { adoption, isOwn, isUntrusted } = filling;
  const model = adoption.cellNow(future)?.model;
  if (model && !isOwn && !isUntrusted && !adoption.isTrusted) {
    filling.isUntrusted = true;
    adoption.change(() => untrust(model));
  }
}

function wire(future: Future): void {
  const adoptionNow = () => fillings.get(future)!.adoption;
  const onIOPub = future.onIOPub.bind(future);
  future.onIOPub = message => adoptionNow().change(() => void onIOPub(message));
  askOnlyWhatIsOpen(future, adoptionNow);
  future.registerMessageHook(message => {
    if (RICH.has(message.header.msg_type)) {
      untrustOnce(future);
    }
    const number = numberOf(message);
    if (number !== undefined) {
      showHoles(future, number);
    }
    if (KernelMessage.isStatusMsg(message) && message.content.execution_state === 'idle') {
      fillings.get(future)!.isIdle = true;
      finishIfOver(future);
    }
    const { refill, held } = adoptionNow();
    return number === undefined || refill !== 'append' || number > (held?.number ?? 0);
  });
  future.done.then(
    reply => {
      replies.set(future, reply);
      finishIfOver(future);
    },
    () => finish(future, null)
  );
}

/** The cell is finished when both have come: what ends the request, and its reply. */
function finishIfOver(future: Future): void {
  const reply = replies.get(future);
  if (reply && fillings.get(future)!.isIdle) {
    showHoles(future, Infinity);
    finish(future, reply);
  }
}

/**
 * Have a future, which fills something already, ask none of the questions that are answered.
 *
 * @param asked - Called when it asks one.
 */
export function askOnlyWhatIsOpen(
  future: Future,
  asking: () => IAsking,
  asked: () => void = () => undefined
): void {
  const onStdin = future.onStdin.bind(future);
  future.onStdin = message => {
    if (isAnswered(message, asking())) {
      asking().dropQuestion();
      return;
    }
    asked();
    return onStdin(message);
  };
}

/** Whether a question was answered, or dropped, before this page asked. */
export function isAnswered(
  message: KernelMessage.IMessage,
  { record, horizon }: Pick<IAdoption, 'record' | 'horizon'>
): boolean {
  const number = numberOf(message);
  return number !== undefined && number <= horizon && number !== record.asks;
}

/** More of what a request has said is gone than was known when its cell began to be filled. */
export function addHoles(future: Future, holes: readonly IHole[]): void {
  const filling = fillings.get(future);
  if (filling) {
    const { refill, held } = filling.adoption;
    const lacks = refill === 'append' ? holesBehind(holes, held?.number ?? 0) : holes;
    filling.left.push(...lacks);
    filling.left.sort((a, b) => a.last - b.last);
  }
}

/** Show where messages are missing, before the one with this number. */
function showHoles(future: Future, number: number): void {
  const { adoption, left } = fillings.get(future)!;
  const count = takeHoles(left, number);
  if (count) {
    adoption.change(() => {
      adoption.cellNow(future)?.model.outputs.add({
        output_type: 'display_data',
        data: { 'text/plain': adoption.missingText(count) },
        metadata: {}
      });
    });
  }
}

/** @param reply - Null if there will be none. */
function finish(future: Future, reply: KernelMessage.IExecuteReplyMsg | null): void {
  const { adoption } = fillings.get(future)!;
  const model = adoption.cellNow(future)?.model;
  if (!model) {
    return;
  }
  adoption.change(() => {
    if (reply) {
      const { execution_count: count } = reply.content as { execution_count?: number | null };
      model.executionCount = count ?? adoption.record.count;
    }
    model.executionState = 'idle';
  });
}
