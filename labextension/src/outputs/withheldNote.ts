import { IRenderMime, OutputModel } from '@jupyterlab/rendermime';
import type { ITranslator } from '@jupyterlab/translation';

import { fleetBundle } from '../page/fleetBundle.js';
import { pageUser } from '../user/pageUser.js';
import { preparedOutputBy } from './preparedOutputs.js';
import { textReason } from './textReason.js';

/**
 * Have JupyterLab's renderer of plain text say below the text of an output that the user does not trust
 * what else would be drawn in its place.
 *
 * @param withheld - The type that would be; undefined if the text is all that there is to draw.
 */
export function withWithheldNote(
  renderer: IRenderMime.IRenderer,
  withheld: (data: object) => string | undefined,
  translator: ITranslator | null
): IRenderMime.IRenderer {
  const render = renderer.renderModel.bind(renderer);
  let note: HTMLElement | null = null;
  renderer.renderModel = async model => {
    note?.remove();
    note = null;
    // JupyterLab draws an output while its cell gets it: who prepared it is noted just after that.
    await render(model);
    const mimeType =
      model instanceof OutputModel && !model.trusted ? withheld(model.data) : undefined;
    if (mimeType === undefined || renderer.isDisposed || note) {
      return;
    }
    const people = preparedOutputBy(model)?.people ?? null;
    const me = pageUser()?.username ?? null;
    note = document.createElement('div');
    note.className = 'jp-fleet-OutputNote';
    note.textContent = textReason(mimeType, people, me, fleetBundle(translator));
    renderer.node.append(note);
  };
  return renderer;
}
