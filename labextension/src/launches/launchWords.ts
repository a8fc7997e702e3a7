import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILaunch } from './launchStage.js';

/** What the cluster is doing for a kernel that starts, in a few words. */
export function phaseWords(launch: ILaunch, trans: TranslationBundle): string {
  const { phase, position } = launch;
  const message = (launch.message ?? '').trim();
  if (isSilent(message)) {
    return trans.__('Waiting for the cluster');
  }
  if (phase === 'queued') {
    return typeof position === 'number' ? placeWords(position, trans) : trans.__('In the queue');
  }
  if (phase === 'scheduling') {
    return trans.__('Waiting for room');
  }
  if (phase === 'pulling') {
    return isProgress(message)
      ? trans.__('Pulling the image … %1', message)
      : trans.__('Pulling the image');
  }
  return phase === 'connecting'
    ? trans.__('Connecting to the kernel')
    : trans.__('Starting the kernel');
}

/** The same with the cluster's own words. */
export function launchWords(launch: ILaunch, trans: TranslationBundle): string {
  const words = phaseWords(launch, trans);
  const message = (launch.message ?? '').trim();
  if (isSilent(message)) {
    return trans.__('%1: %2', words, message.replace(/^the /, 'its '));
  }
  const told = launch.phase === 'pulling' && isProgress(message);
  return message && !told ? trans.__('%1: %2', words, message) : words;
}

/** For how long something has lasted: `8 s`, `2 min 5 s`, `1 h 4 min`; empty if that is not known. */
export function durationWords(
  since: string | undefined,
  now: number,
  trans: TranslationBundle
): string {
  const began = Date.parse(since ?? '');
  if (isNaN(began)) {
    return '';
  }
  // The server's clock may be ahead of this one.
  const seconds = Math.max(0, Math.floor((now - began) / 1000));
  const minutes = Math.floor(seconds / 60);
  if (!minutes) {
    return trans.__('%1 s', seconds);
  }
  return minutes < 60
    ? trans.__('%1 min %2 s', minutes, seconds % 60)
    : trans.__('%1 h %2 min', Math.floor(minutes / 60), minutes % 60);
}

/** A reason as the beginning of a text: with a capital, without a full stop. */
export function sentence(reason: string): string {
  const text = reason.trim().replace(/\.$/, '');
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Whether the cluster's words are only how far it has come. */
function isProgress(message: string): boolean {
  return /^\d+([.,]\d+)?\s?%$/.test(message);
}

/** Whether the gateway cannot ask the cluster how far the launch is. */
function isSilent(message: string): boolean {
  return /^the (API server|ResourceManager) (does not answer|has not answered for \d+ s)$/.test(
    message
  );
}

function placeWords(position: number, trans: TranslationBundle): string {
  if (position <= 1) {
    return trans.__('Next in the queue');
  }
  const teens = Math.floor(position / 10) % 10 === 1;
  const ending = (!teens && ENDINGS[position % 10]) || 'th';
  return trans.__('%1 in the queue', `${position}${ending}`);
}

/** What follows a number in English, by its last digit. */
const ENDINGS: Record<number, string> = { 1: 'st', 2: 'nd', 3: 'rd' };
