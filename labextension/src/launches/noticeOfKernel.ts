import type { TranslationBundle } from '@jupyterlab/translation';

import { RESTARTED } from '../outputs/kernelDied.js';
import type { IMissedKernel } from './formerKernel.js';
import type { Stage } from './launchStage.js';
import { launchWords, phaseWords, sentence } from './launchWords.js';

/** What a person can do about a kernel that takes no cells, or that the page does not reach. */
export type KernelAction =
  'cancel' | 'restart' | 'shutDown' | 'startAgain' | 'startWith' | 'signIn' | 'retry';

/** What happened to a document's kernel that its stage does not say. */
export interface IKernelEvents {
  /** Why the server refused to start one, or the dead one again; null if it did not. */
  readonly refused: string | null;
  /** Why the kernel was started again, by itself or by somebody while no page was open; null if it was not. */
  readonly restarted: string | null;
  /** The user who has had it restarted; null if nobody has, or it is not known. */
  readonly restartedBy?: string | null;
  /** Whether a person has asked for it to be started again, and the server has not answered. */
  readonly startsAgain: boolean;
  /** The kernel that did not come, in whose place the document has its earlier one again. */
  readonly missed?: IMissedKernel | null;
}

/** What to say above a document about its kernel. */
export interface IKernelNotice {
  readonly text: string;
  readonly urgent: boolean;
  readonly actions: readonly KernelAction[];
  readonly closable?: boolean;
  /** Since when it has been so. */
  readonly since?: string;
}

/**
 * What to say above a document about its kernel; null if there is nothing to say.
 *
 * @param stage - How far its kernel has come; null if it has none.
 * @param waiting - How many cells wait for it.
 */
export function noticeOfKernel(
  stage: Stage | null,
  events: IKernelEvents,
  waiting: number,
  trans: TranslationBundle
): IKernelNotice | null {
  if (events.startsAgain) {
    return { text: trans.__('Starting the kernel again'), urgent: false, actions: [] };
  }
  if (stage?.is === 'launching') {
    const words = launchWords(stage.launch, trans);
    const text = waiting
      ? trans._n('%2. %1 cell waits', '%2. %1 cells wait', waiting, sentence(words))
      : words;
    return { text, urgent: false, actions: ['cancel'], since: stage.launch.since };
  }
  if (stage?.is === 'unreachable') {
    return {
      text: trans.__('The kernel cannot be reached: %1.', endless(stage.reason)),
      urgent: true,
      actions: ['restart', 'shutDown']
    };
  }
  if (events.refused !== null) {
    return {
      text: trans.__('The kernel could not be started: %1.', endless(events.refused)),
      urgent: true,
      actions: ['startAgain', 'startWith']
    };
  }
  if (stage?.is === 'dead') {
    const reason = endless(stage.reason) || trans.__('The kernel ended unexpectedly');
    const text = stage.whileLaunching
      ? trans.__('The kernel could not be started: %1.', reason)
      : trans.__('%1. Start it again to go on.', sentence(reason));
    return { text, urgent: true, actions: ['startAgain', 'startWith'] };
  }
  if (events.missed) {
    const { title, reason } = events.missed;
    const text =
      reason === null
        ? trans.__(
            '%1 was not started. The earlier kernel is still there, with its variables.',
            title
          )
        : trans.__(
            '%1 could not be started: %2. The earlier kernel is still there, with its variables.',
            title,
            endless(reason) || trans.__('it ended unexpectedly')
          );
    const urgent = reason !== null;
    return { text, urgent, actions: ['startAgain', 'startWith'], closable: true };
  }
  if (events.restarted === RESTARTED) {
    return {
      text: events.restartedBy
        ? trans.__('The kernel was restarted by %1: its variables are gone.', events.restartedBy)
        : trans.__('The kernel was restarted: its variables are gone.'),
      urgent: false,
      actions: [],
      closable: true
    };
  }
  if (events.restarted !== null) {
    const reason = events.restarted || trans.__('The kernel ended unexpectedly');
    return {
      text: trans.__('%1. The kernel was restarted: its variables are gone.', sentence(reason)),
      urgent: true,
      actions: [],
      closable: true
    };
  }
  return null;
}

/** The same in the few words that a toolbar has room for; empty if there is nothing to say. */
export function labelOfKernel(stage: Stage | null, trans: TranslationBundle): string {
  switch (stage?.is) {
    case 'launching':
      return phaseWords(stage.launch, trans);
    case 'unreachable':
      return trans.__('Not reachable');
    case 'dead':
      return stage.whileLaunching ? trans.__('Not started') : '';
    default:
      return '';
  }
}

/** A reason without the full stop that the sentence around it has. */
export function endless(reason: string): string {
  return reason.trim().replace(/\.$/, '');
}
