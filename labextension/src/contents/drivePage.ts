import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDocumentManager, IDocumentWidgetOpener } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { Contents, IDefaultDrive } from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';
import type { Signal } from '@lumino/signaling';

import { askAboutConflict } from './conflictDialog.js';
import { whyNotChange, whyNotCreate } from './contentsRefusals.js';
import { VersionedDrive } from './drive.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { kindOf } from './heldVersions.js';
import { keepLateEdits, type LateEdits } from './lateEdits.js';
import type { IOpenDocument } from './pageOfDrive.js';
import { openWidgets } from '../page/openWidgets.js';
import { pageUser } from '../user/pageUser.js';

/** Gives the drive access to the page's documents and dialogs. */
export const drivePage: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:conflicts',
  description: 'Asks what to do when somebody else has saved a file first.',
  autoStart: true,
  requires: [IDefaultDrive, IDocumentManager, IDocumentWidgetOpener],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    drive: Contents.IDrive,
    documents: IDocumentManager,
    opener: IDocumentWidgetOpener,
    translator: ITranslator | null
  ) => {
    if (!(drive instanceof VersionedDrive)) {
      return;
    }
    const trans = fleetBundle(translator);
    // A document is opened again whenever somebody chooses it.
    const followed = new WeakMap<DocumentRegistry.Context, LateEdits>();
    drive.page = {
      openDocument: (path, kind) => openDocument(app, documents, followed, path, kind),
      ask: (path, conflict, canRevert) => askAboutConflict(path, conflict, canRevert, trans),
      whyNotCreate: path => whyNotCreate(pageUser(), path, trans),
      whyNotChange: path => whyNotChange(pageUser(), path, trans)
    };
    opener.opened.connect((_, { context }) => {
      if (!followed.has(context)) {
        followed.set(context, keepLateEdits(context));
        followMoves(drive, documents, context);
      }
    });
  }
};

/** Tell the drive where a document goes: by the path of its session when another page moves it. */
function followMoves(
  drive: VersionedDrive,
  documents: IDocumentManager,
  context: DocumentRegistry.Context
): void {
  const { contents } = documents.services;
  if (contents.driveName(context.path) !== '') {
    return;
  }
  let path = contents.localPath(context.path);
  context.pathChanged.connect((_, moved) => {
    const from = path;
    path = contents.localPath(moved);
    void drive.documentMoved(from, path);
  });
}

function openDocument(
  app: JupyterFrontEnd,
  documents: IDocumentManager,
  followed: WeakMap<DocumentRegistry.Context, LateEdits>,
  path: string,
  kind: string
): IOpenDocument | null {
  const context = openContext(app, documents, path, kind);
  return (
    context && {
      revert: async () => {
        await context.revert();
        followed.get(context)?.reverted();
      },
      save: () => context.save(),
      followsKernel: () => context.sessionContext.session?.kernel?.connectionStatus === 'connected',
      // The status bar would go on saying "Saving started". The interface of the context
      // hides that its signal can be emitted; nothing else tells the status bar.
      saveEnded: () =>
        (context.saveState as Signal<typeof context, DocumentRegistry.SaveState>).emit('failed'),
      saveDropped: () => followed.get(context)?.failed(),
      currentPath: async () => {
        if (context.sessionContext.session) {
          // The document follows its session.
          await app.serviceManager.sessions.refreshRunning().catch(() => undefined);
        }
        return documents.services.contents.localPath(context.path);
      }
    }
  );
}

function openContext(
  app: JupyterFrontEnd,
  documents: IDocumentManager,
  path: string,
  kind: string
): DocumentRegistry.Context | null {
  for (const widget of openWidgets(app.shell)) {
    const context = documents.contextForWidget(widget);
    if (
      context &&
      documents.services.contents.localPath(context.path) === path &&
      documents.services.contents.driveName(context.path) === '' &&
      kindOfContext(app, context) === kind
    ) {
      return context;
    }
  }
  return null;
}

function kindOfContext(app: JupyterFrontEnd, context: DocumentRegistry.Context): string | null {
  // Not in the interface, but documented on the class: which kind of model the context has.
  const { factoryName } = context as unknown as { factoryName?: string };
  const factory = app.docRegistry.getModelFactory(factoryName ?? '');
  return factory ? kindOf({ type: factory.contentType, format: factory.fileFormat }) : null;
}
