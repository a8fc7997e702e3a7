import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';

/** The words of this extension in the page's language. */
export function fleetBundle(translator: ITranslator | null): TranslationBundle {
  return (translator ?? nullTranslator).load('jupyter_fleet');
}
