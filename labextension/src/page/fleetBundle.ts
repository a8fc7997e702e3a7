import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

/** The translations of this extension's texts. */
export function fleetBundle(translator: ITranslator | null): TranslationBundle {
  return (translator ?? nullTranslator).load('jupyter_fleet');
}
