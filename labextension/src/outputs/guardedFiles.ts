import { DocumentRegistry, MimeDocumentFactory } from '@jupyterlab/docregistry';
import { IFrame } from '@jupyterlab/ui-components';

/**
 * Draw files of all types by the registry of renderers, and those in frames without this page's origin.
 *
 * For those that an extension brings with a renderer (Vega, Mermaid), JupyterLab would take that
 * renderer past the registry: a file of another person is no more the user's own than an output.
 */
export function guardFiles(registry: DocumentRegistry): void {
  for (const factory of registry.widgetFactories()) {
    guard(factory);
  }
  registry.changed.connect((_, { type, change, name }) => {
    if (type === 'widgetFactory' && change === 'added' && name) {
      guard(registry.getWidgetFactory(name));
    }
  });
}

function guard(factory: DocumentRegistry.WidgetFactory | undefined): void {
  if (factory instanceof MimeDocumentFactory) {
    factory['_factory'] = undefined;
  }
  factory?.widgetCreated.connect((_, { content }) => {
    if (content instanceof IFrame) {
      keepOrigin(content);
    }
  });
}

/**
 * Never let a frame have this page's origin. "Trust HTML" then lets a file run its scripts, which can
 * do nothing as this user.
 */
function keepOrigin(frame: IFrame): void {
  const stock = Object.getOwnPropertyDescriptor(IFrame.prototype, 'sandbox')!;
  Object.defineProperty(frame, 'sandbox', {
    ...stock,
    set(this: IFrame, allowed: IFrame.SandboxExceptions[]) {
      stock.set!.call(
        this,
        allowed.filter(one => one !== 'allow-same-origin')
      );
    }
  });
  frame.sandbox = frame.sandbox.slice();
}
