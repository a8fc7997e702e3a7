import type { IHeading } from './clientFrames.js';

/** What gateways say in text before a stream has begun; see docs/protocols.md. */
export interface INotice {
  readonly type: string;
  readonly [field: string]: unknown;
}

/**
 * The content of the `status` that JupyterLab is told of a launch, as labs tell it to pages without a
 * cursor; null if this notice is about something else.
 */
export function launchStatus(notice: INotice): object | null {
  switch (notice.type) {
    case 'launch':
      return { execution_state: 'starting', launch: notice.launch };
    case 'dead':
      return {
        execution_state: 'dead',
        reason: typeof notice.reason === 'string' ? notice.reason : ''
      };
    default:
      return null;
  }
}

/**
 * Whether a message goes on waiting for a kernel whose launch a user interrupts: a page whose first
 * `kernel_info_request` fails never uses the kernel, and what is for the agent is not the user's.
 */
export function survivesInterrupt({ channel, header }: IHeading): boolean {
  return channel === 'fleet' || (channel === 'shell' && header.msg_type === 'kernel_info_request');
}
