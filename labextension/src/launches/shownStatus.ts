import type { Stage } from './launchStage.js';

/**
 * The status of a document's kernel as the page shows it, where JupyterLab would show less than is known.
 *
 * JupyterLab takes the status for unknown from each new connection until the kernel has said something,
 * and tells of a kernel that has ended only that its connection is closed.
 *
 * @param status - What JupyterLab would show.
 * @param isDead - Whether it takes the kernel for dead.
 * @param stage - How far the kernel has come.
 */
export function shownStatus<T extends string>(
  status: T,
  isDead: boolean,
  stage: Stage
): T | 'dead' | 'connecting' {
  if (status !== 'unknown' && status !== 'disconnected') {
    return status;
  }
  if (isDead || stage.is === 'dead') {
    return 'dead';
  }
  return status === 'unknown' && stage.is !== 'unreachable' ? 'connecting' : status;
}
