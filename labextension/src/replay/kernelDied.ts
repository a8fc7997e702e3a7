import type { KernelMessage } from '@jupyterlab/services';

/** An output of nbformat. */
export interface IDeath {
  output_type: 'error';
  ename: string;
  evalue: string;
  traceback: string[];
}

/**
 * What a cell shows whose kernel died in it: the agent says so in the reply alone, of which JupyterLab
 * shows nothing. Null for all other replies.
 */
export function outputOfDeath(reply: KernelMessage.IExecuteReplyMsg): IDeath | null {
  const content = reply.content;
  if (content.status !== 'error' || content.ename !== 'KernelDied') {
    return null;
  }
  const { ename, evalue } = content;
  return { output_type: 'error', ename, evalue, traceback: [`${ename}: ${evalue}`] };
}
