import { DocumentRegistry, MimeDocumentFactory } from '@jupyterlab/docregistry';

/**
 * Draw files of all types by the registry of renderers.
 *
 * For those that an extension brings with a renderer (Vega, Mermaid), JupyterLab would take that
 * renderer past the registry: a file of another person is no more the user's own than an output.
 */
export function guardFiles(registry: DocumentRegistry): void {
  for (const factory of registry.widgetFactories()) {
    takeRegistrys(factory);
  }
  registry.changed.connect((_, { type, change, name }) => {
    if (type === 'widgetFactory' && change === 'added' && name) {
      takeRegistrys(registry.getWidgetFactory(name));
    }
  });
}

function takeRegistrys(factory: DocumentRegistry.WidgetFactory | undefined): void {
  if (factory instanceof MimeDocumentFactory) {
    factory['_factory'] = undefined;
  }
}
