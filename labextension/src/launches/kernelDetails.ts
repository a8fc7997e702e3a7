import type { TranslationBundle } from '@jupyterlab/translation';

import type { ILaunch, IStageModel } from './launchStage.js';
import { launchWords, sentence } from './launchWords.js';
import { optionLines } from './optionWords.js';

/** A kernel's model, as far as a person reads it. */
export interface IDetailsModel extends IStageModel {
  readonly id: string;
  readonly name: string;
  readonly username?: string;
  /** The person who has it alone. */
  readonly only_for?: string | null;
  readonly project?: string;
  readonly path?: string;
  readonly launch?: ILaunch | null;
  /** What keeps it from other kernels of its machine. */
  readonly walls?: 'namespaces' | 'landlock' | 'none' | null;
  readonly launch_options?: Readonly<Record<string, unknown>>;
  /** What of the network it reaches. */
  readonly network?: 'none' | 'internet' | 'host' | null;
  /** Why that is not more. */
  readonly network_why?: string;
}

/** A session, as far as it says who uses a kernel. */
export interface IUsingSession {
  readonly name: string;
  readonly type: string;
  readonly path: string;
  /** Where the document is now; later servers say it. */
  readonly document_path?: string;
  readonly kernel: { readonly id: string } | null;
}

/**
 * What to show of a kernel: names and values in the order in which they are read.
 *
 * @param displayName - What its kernelspec is called.
 * @param sessions - All that run.
 */
export function detailsOf(
  model: IDetailsModel,
  displayName: string,
  sessions: Iterable<IUsingSession>,
  trans: TranslationBundle
): { readonly about: [string, string][]; readonly options: [string, string][] } {
  const about: [string, string][] = [
    [trans.__('Kernel'), displayName],
    [trans.__('State'), stateWords(model, trans)],
    [trans.__('Started by'), model.username ?? ''],
    [trans.__('Used by'), model.only_for ? trans.__('%1 alone', model.only_for) : ''],
    [trans.__('Project'), model.project ?? ''],
    ...users(model, sessions, trans),
    [trans.__('Kept apart by'), wallsWords(model, trans)],
    [trans.__('Network'), networkWords(model, trans)],
    [trans.__('Id'), model.id]
  ];
  return {
    about: about.filter(([, value]) => value),
    options: optionLines(model.launch_options ?? {}, trans)
  };
}

/** What of the network a kernel reaches; empty if that is not known. */
function networkWords(model: IDetailsModel, trans: TranslationBundle): string {
  switch (model.network) {
    case 'none':
      return model.network_why
        ? trans.__('None: it reaches nothing but itself (%1)', model.network_why)
        : trans.__('None: it reaches nothing but itself');
    case 'internet':
      return trans.__('The internet, but no private network and nothing of its machine');
    case 'host':
      return trans.__('That of its machine');
    default:
      return '';
  }
}

/** The file that uses a kernel. Consoles have none: their paths are made up. */
function users(
  model: IDetailsModel,
  sessions: Iterable<IUsingSession>,
  trans: TranslationBundle
): [string, string][] {
  const using = [...sessions].filter(({ kernel }) => kernel?.id === model.id);
  const file = using.find(({ type }) => type !== 'console');
  if (file || !using.length) {
    return [[trans.__('File'), file?.document_path ?? file?.path ?? model.path ?? '']];
  }
  return using.map(({ name }) => [trans.__('Console'), name]);
}

function wallsWords(model: IDetailsModel, trans: TranslationBundle): string {
  switch (model.walls) {
    case 'namespaces':
      return trans.__('namespaces of its own');
    case 'landlock':
      return trans.__('Landlock alone: it shares temporary files with other kernels');
    case 'none':
      return trans.__('nothing: kernels of its project can read its memory and files');
    default:
      return '';
  }
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
