import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILaunch, IStageModel } from './launchStage.js';
import { launchWords, sentence } from './launchWords.js';
import { optionLines } from './optionWords.js';

/** A kernel's model, as far as a person reads it. */
export interface IDetailsModel extends IStageModel {
  readonly id: string;
  readonly name: string;
  readonly username?: string;
  readonly project?: string;
  readonly path?: string;
  readonly launch?: ILaunch | null;
  readonly launch_options?: Readonly<Record<string, unknown>>;
}

/**
 * What to show of a kernel: names and values in the order in which they are read.
 *
 * @param displayName - What its kernelspec is called.
 */
export function detailsOf(
  model: IDetailsModel,
  displayName: string,
  trans: TranslationBundle
): { readonly about: [string, string][]; readonly options: [string, string][] } {
  const about: [string, string][] = [
    [trans.__('Kernel'), displayName],
    [trans.__('State'), stateWords(model, trans)],
    [trans.__('Started by'), model.username ?? ''],
    [trans.__('Project'), model.project ?? ''],
    [trans.__('File'), model.path ?? ''],
    [trans.__('Id'), model.id]
  ];
  return {
    about: about.filter(([, value]) => value),
    options: optionLines(model.launch_options ?? {}, trans)
  };
}

function stateWords(model: IDetailsModel, trans: TranslationBundle): string {
  if (model.launch) {
    return launchWords(model.launch, trans);
  }
  if (model.launch_failed) {
    return model.reason ? trans.__('Not started: %1', model.reason) : trans.__('Not started');
  }
  const state = model.state === 'running' ? model.execution_state : model.state;
  const words = sentence(state ?? model.execution_state ?? '');
  return model.reason ? trans.__('%1: %2', words, model.reason) : words;
}
