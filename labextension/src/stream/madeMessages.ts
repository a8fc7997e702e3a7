import type { KernelMessage } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

type Message = KernelMessage.IMessage;

/** The channel between a page and the agent of its kernel: JupyterLab does not know it. */
export const FLEET_CHANNEL = 'fleet';

/** Whether a message is between the page and the agent alone. */
export function isFleet(message: Message): boolean {
  return message.channel === (FLEET_CHANNEL as string);
}

/** A kernel message that the page makes by itself; `session` is the sender's. */
export function madeMessage(
  session: string,
  channel: string,
  type: string,
  content: object,
  parent: object = {}
): Message {
  return {
    channel,
    header: {
      msg_id: UUID.uuid4(),
      msg_type: type,
      session,
      username: '',
      date: new Date().toISOString(),
      version: '5.3'
    },
    parent_header: parent,
    metadata: {},
    content,
    buffers: []
  } as unknown as Message;
}
