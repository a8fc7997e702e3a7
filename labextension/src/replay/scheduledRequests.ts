import { Kernel, KernelMessage } from '@jupyterlab/services';
import type { Signal } from '@lumino/signaling';

import { madeMessage } from '../stream/madeMessages.js';

type AnyMessage = Signal<Kernel.IKernelConnection, Kernel.IAnyMessageArgs>;

/** Of a kernel's connection: what JupyterLab's progress circle goes by. */
type Heard = Pick<Kernel.IKernelConnection, 'anyMessage' | 'statusChanged'>;

/**
 * Do something of which those who listen to all of the kernel's messages do not hear.
 *
 * JupyterLab's progress circle counts each request that is sent as scheduled until its `idle` comes,
 * which does not come for one that has ended before.
 */
export function unheard<T>({ anyMessage }: Pick<Heard, 'anyMessage'>, act: () => T): T {
  // The connection's interface hides that the signal can be emitted.
  const signal: { emit?: AnyMessage['emit'] } = anyMessage as AnyMessage;
  signal.emit = () => undefined;
  try {
    return act();
  } finally {
    // The class has its own.
    delete signal.emit;
  }
}

/** Says `idle` for what a kernel still had to run when it died: the circle would stay busy for ever. */
export function endScheduled(kernel: Heard): void {
  const scheduled = new Map<string, KernelMessage.IHeader>();
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction === 'send' && msg.header.msg_type === 'execute_request') {
      scheduled.set(msg.header.msg_id, msg.header);
    } else if (
      msg.header.msg_type === 'status' &&
      (msg as KernelMessage.IStatusMsg).content.execution_state === 'idle'
    ) {
      scheduled.delete((msg.parent_header as { msg_id?: string }).msg_id ?? '');
    }
  });
  kernel.statusChanged.connect((sender, status) => {
    if (status !== 'dead') {
      return;
    }
    for (const header of [...scheduled.values()]) {
      const content = { execution_state: 'idle' };
      const msg = madeMessage(header.session, 'iopub', 'status', content, header);
      (sender.anyMessage as AnyMessage).emit({ msg, direction: 'recv' });
    }
  });
}
