import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { IDocumentManager } from '@jupyterlab/docmanager';
import type { IRenderMime } from '@jupyterlab/rendermime';
import type { TranslationBundle } from '@jupyterlab/translation';

/** JupyterLab's name of the command. */
const OPEN = 'rendermime:handle-local-link';
const OPEN_SOURCE = 'debugger:open-source';

/** The command that opens a file to which an output links, as JupyterLab has it. */
export function addLocalLinks(
  app: JupyterFrontEnd,
  documents: IDocumentManager,
  trans: TranslationBundle
): void {
  app.commands.addCommand(OPEN, {
    label: trans.__('Handle Local Link'),
    describedBy: {
      args: {
        type: 'object',
        properties: {
          path: { type: 'string', description: trans.__('The file path to open') },
          id: { type: 'string', description: trans.__('Fragment identifier to navigate to') },
          scope: {
            type: 'string',
            enum: ['kernel', 'server'],
            description: trans.__('Scope of the file location')
          }
        },
        required: ['path']
      }
    },
    execute: async args => {
      const path = args['path'] as string | undefined;
      const id = args['id'] as string | undefined;
      if (!path) {
        return;
      }
      if (args['scope'] === 'kernel') {
        if (app.commands.hasCommand(OPEN_SOURCE)) {
          await app.commands.execute(OPEN_SOURCE, { path });
        }
        return;
      }
      await documents.services.contents.get(path, { content: false });
      const factory = documents.registry.defaultRenderedWidgetFactory(path);
      const widget = documents.openOrReveal(path, factory.name);
      if (widget && id) {
        widget.setFragment(id);
      }
    }
  });
}

/** What a click on such a link does. */
export function localLinkHandler(app: JupyterFrontEnd): IRenderMime.ILinkHandler {
  const onClick = (node: HTMLElement, args: Record<string, string | undefined>) => {
    node.addEventListener('click', event => {
      event.preventDefault();
      void app.commands.execute(OPEN, args);
    });
  };
  return {
    handleLink: (node, path, id) => {
      // The browser downloads these.
      if (!(node.tagName === 'A' && node.hasAttribute('download'))) {
        onClick(node, { path, id });
      }
    },
    handlePath: (node, path, scope, id) => onClick(node, { path, id, scope })
  };
}
