import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ISanitizer, IThemeManager } from '@jupyterlab/apputils';
import { PageConfig } from '@jupyterlab/coreutils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import {
  ILatexTypesetter,
  IMarkdownParser,
  IRenderMimeRegistry,
  RenderMimeRegistry,
  standardRendererFactories
} from '@jupyterlab/rendermime';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { distrustForeignCells } from './foreignCells.js';
import { frameAddress } from './frameAddress.js';
import { watchUses } from './frameUse.js';
import { guardFiles } from './guardedFiles.js';
import { GuardedRegistry } from './guardedRegistry.js';
import { drawWithoutIsolation } from './isolatedOutputs.js';
import { addLocalLinks, localLinkHandler } from './localLinks.js';
import { distrustPreparedOutputs } from './preparedOutputs.js';
import { inFleet } from '../user/pageUser.js';

export const renderMime: JupyterFrontEndPlugin<IRenderMimeRegistry> = {
  id: 'jupyter-fleet:render-mime',
  description: "Draws outputs of others without this page's origin.",
  autoStart: true,
  optional: [
    IDocumentManager,
    ILatexTypesetter,
    ISanitizer,
    IMarkdownParser,
    ITranslator,
    IThemeManager
  ],
  provides: IRenderMimeRegistry,
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager | null,
    latexTypesetter: ILatexTypesetter | null,
    sanitizer: ISanitizer | null,
    markdownParser: IMarkdownParser | null,
    translator: ITranslator | null,
    themes: IThemeManager | null
  ) => {
    if (documents) {
      addLocalLinks(app, documents, (translator ?? nullTranslator).load('jupyterlab'));
    }
    const options: RenderMimeRegistry.IOptions = {
      initialFactories: standardRendererFactories,
      trustHandler: {
        markTrusted: node => app.commandLinker.markTrusted(node),
        unmarkTrusted: node => app.commandLinker.unmarkTrusted(node)
      },
      linkHandler: documents ? localLinkHandler(app) : undefined,
      latexTypesetter: latexTypesetter ?? undefined,
      markdownParser: markdownParser ?? undefined,
      translator: translator ?? undefined,
      sanitizer: sanitizer ?? undefined
    };
    if (!inFleet()) {
      return new RenderMimeRegistry(options);
    }
    watchUses();
    drawWithoutIsolation();
    distrustForeignCells();
    distrustPreparedOutputs();
    guardFiles(app.docRegistry);
    return new GuardedRegistry(options, {
      url: frameAddress(PageConfig.getBaseUrl(), PageConfig.getOption('fleetFrameUrl')),
      themeChanged: themes?.themeChanged ?? null
    });
  }
};
