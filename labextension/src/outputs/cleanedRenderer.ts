import { IRenderMime, MimeModel, OutputModel } from '@jupyterlab/rendermime';

import { isMine } from './mine.js';

/**
 * Have a renderer of JupyterLab, which removes what runs from what is not trusted, do so with all but
 * the user's own outputs.
 *
 * Users can trust outputs of cells only; the debugger trusts every variable.
 */
export function cleanedRenderer(renderer: IRenderMime.IRenderer): IRenderMime.IRenderer {
  const render = renderer.renderModel.bind(renderer);
  renderer.renderModel = model => {
    if (!model.trusted || (model instanceof OutputModel && isMine(model))) {
      return render(model);
    }
    const { data, metadata } = model;
    return render(new MimeModel({ data, metadata }));
  };
  return renderer;
}
