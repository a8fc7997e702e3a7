import type { TranslationBundle } from '@jupyterlab/translation';

import type { Stage } from './launchStage.js';
import { launchWords, phaseWords, sentence } from './launchWords.js';

/** What a list of kernels says beside one of them. */
export interface IRunningWords {
  readonly detail: string;
  /** The same in full, where there is room for it. */
  readonly title: string;
}

/** What to say of a kernel in a list of those that run; null if it simply runs. */
export function runningWords(stage: Stage, trans: TranslationBundle): IRunningWords | null {
  switch (stage.is) {
    case 'launching':
      return { detail: phaseWords(stage.launch, trans), title: launchWords(stage.launch, trans) };
    case 'unreachable':
      return inFull(trans.__('Not reachable'), stage.reason);
    case 'dead':
      return inFull(
        stage.whileLaunching ? trans.__('Not started') : trans.__('Has ended'),
        stage.reason
      );
    default:
      return null;
  }
}

function inFull(detail: string, reason: string): IRunningWords {
  return { detail, title: sentence(reason) || detail };
}

/** An item of the running panel, as far as this goes. */
export interface IRunningItem {
  readonly kernel?: {
    readonly id: string;
    /** Its document. */
    readonly path?: string;
    /** The person who has it alone: owners of a project are told of those of others. */
    readonly only_for?: string | null;
  };
  /** Below a kernel its sessions. */
  readonly children?: readonly IRunningItem[];
  label?(): unknown;
  detail?(): string;
  labelTitle?(): string;
}

/**
 * Have the kernels among these items, and below them, say how far they are, and who has them alone.
 *
 * A kernel without a session that this page knows has the name of its document: others may work
 * there in it.
 *
 * @param me - The user of this page.
 */
export function describe(
  items: readonly IRunningItem[],
  stageOf: (id: string) => Stage,
  me: string,
  trans: TranslationBundle
): void {
  for (const item of items) {
    const { kernel } = item;
    if (!kernel) {
      describe(item.children ?? [], stageOf, me, trans);
      continue;
    }
    const { id, path = '' } = kernel;
    const words = () => runningWords(stageOf(id), trans);
    const isBare = () => path !== '' && !item.children?.length;
    const label = item.label?.bind(item);
    const title = item.labelTitle?.bind(item);
    const alone = aloneWords(kernel.only_for, me, trans);
    item.label = () => (isBare() ? `${baseName(path)} (${id.split('-')[0]})` : label?.());
    item.detail = () => words()?.detail ?? alone;
    item.labelTitle = () =>
      [isBare() ? `${path}: ${id}` : title?.(), alone, words()?.title].filter(Boolean).join('\n\n');
  }
}

function aloneWords(person: string | null | undefined, me: string, trans: TranslationBundle) {
  if (!person) {
    return '';
  }
  return person === me ? trans.__('Only you') : trans.__('%1 alone', person);
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
