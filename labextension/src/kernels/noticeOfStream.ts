import type { TranslationBundle } from '@jupyterlab/translation';

import type { Stage } from '../launches/launchStage.js';
import { endless, type IKernelNotice } from '../launches/noticeOfKernel.js';
import type { StreamState } from '../stream/streamState.js';

/** A connection that is back by then is not worth a line that comes and goes. */
export const SHORT_CUT_MS = 1_000;

/**
 * What stands between a page and a kernel that may well live; null if nothing does, or if the kernel's
 * own stage says more.
 *
 * @param state - Of their stream; null if there is none.
 * @param stage - How far the kernel has come, as far as the page has heard.
 * @param now - `steadyTime()`.
 */
export function noticeOfStream(
  state: StreamState | null,
  stage: Stage | null,
  now: number,
  trans: TranslationBundle
): IKernelNotice | null {
  switch (state?.is) {
    case 'signedOut':
      return {
        text: trans.__('You are signed out. What you run waits until you sign in again.'),
        urgent: true,
        actions: ['signIn']
      };
    case 'notAllowed': {
      const reason = endless(state.reason);
      const text = reason
        ? trans.__('You may no longer use this kernel: %1.', reason)
        : trans.__('You may no longer use this kernel.');
      return { text, urgent: true, actions: [] };
    }
    case 'cut':
      return now - state.since < SHORT_CUT_MS ? null : noticeOfCut(state, stage, trans);
    default:
      return null;
  }
}

function noticeOfCut(
  { why, reason, since }: StreamState & { is: 'cut' },
  stage: Stage | null,
  trans: TranslationBundle
): IKernelNotice | null {
  const common = {
    urgent: false,
    actions: ['retry'],
    since: new Date(since).toISOString()
  } as const;
  if (why === 'network') {
    const text = trans.__('The server cannot be reached. What you run is sent when it is back.');
    return { ...common, text };
  }
  if (stage?.is === 'launching' || stage?.is === 'unreachable' || stage?.is === 'dead') {
    // The server knows why, and what can be done.
    return null;
  }
  if (why === 'owner') {
    const text = trans.__('The kernel is being handed to another gateway. It keeps running.');
    return { ...common, text, actions: [] };
  }
  return {
    ...common,
    text: reason
      ? trans.__('The kernel cannot be reached: %1.', endless(reason))
      : trans.__('The kernel cannot be reached.'),
    urgent: true
  };
}

/** The same in the few words that a toolbar has room for; empty if there is nothing to say. */
export function labelOfStream(
  state: StreamState | null,
  stage: Stage | null,
  now: number,
  trans: TranslationBundle
): string {
  if (!noticeOfStream(state, stage, now, trans)) {
    return '';
  }
  switch (state!.is) {
    case 'signedOut':
      return trans.__('Signed out');
    case 'notAllowed':
      return trans.__('No access');
    default:
      return (state as StreamState & { is: 'cut' }).why === 'unreachable'
        ? trans.__('Not reachable')
        : trans.__('Reconnecting');
  }
}
