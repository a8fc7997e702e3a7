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
    /** The person who has it alone: lists have no such kernels of others. */
    readonly only_for?: string | null;
  };
  readonly children?: readonly IRunningItem[];
  detail?(): string;
  labelTitle?(): string;
}

/** Have the kernels among these items, and below them, say how far they are and whether they are yours alone. */
export function describe(
  items: readonly IRunningItem[],
  stageOf: (id: string) => Stage,
  trans: TranslationBundle
): void {
  for (const item of items) {
    const { kernel } = item;
    if (!kernel) {
      describe(item.children ?? [], stageOf, trans);
      continue;
    }
    const words = () => runningWords(stageOf(kernel.id), trans);
    const title = item.labelTitle?.bind(item);
    const alone = kernel.only_for ? trans.__('Only you') : '';
    item.detail = () => words()?.detail ?? alone;
    item.labelTitle = () => [title?.(), alone, words()?.title].filter(Boolean).join('\n\n');
  }
}
