import type {
  JupyterFrontEnd,
  JupyterFrontEndPlugin
} from '@jupyterlab/application';
import { IDocumentManager } from '@jupyterlab/docmanager';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import {
  Contents,
  Drive,
  IDefaultDrive,
  IServerSettings,
  ServerConnection,
  ServiceManagerPlugin
} from '@jupyterlab/services';
import { ITranslator } from '@jupyterlab/translation';
import type { Signal } from '@lumino/signaling';

import { account } from './account.js';
import { cellExecutor } from './cellExecutor.js';
import { askAboutConflict } from './conflictDialog.js';
import { connectionLost } from './connectionLost.js';
import { whyNotChange, whyNotCreate } from './contentsRefusals.js';
import { consoleEntry } from './consoleEntry.js';
import { IOpenDocument, VersionedDrive } from './drive.js';
import { fleetBundle } from './fleetBundle.js';
import { kindOf } from './held.js';
import { idleWarning } from './idleWarning.js';
import { kernelDialogs } from './kernelDialogs.js';
import { kernelEnd } from './kernelEnd.js';
import { kernelNames } from './kernelNames.js';
import { lastOutputs } from './lastOutputs.js';
import { longOutput } from './longOutput.js';
import { openWidgets } from './openWidgets.js';
import { inFleet, pageUser } from './pageUser.js';
import { projectsPage } from './projectsPage.js';
import { roleChange } from './roleChange.js';
import { serverSettings } from './serverSettings.js';
import { shownRefusals } from './shownRefusals.js';
import { shutDown } from './shutDown.js';
import { signInDialog } from './signInDialog.js';
import { signInPlugin } from './signInPlugin.js';
import { viewerCommands } from './viewerCommands.js';
import { viewOnly } from './viewOnly.js';

/** Replaces JupyterLab's own drive; that of a server without the fleet is the stock one. */
const drive: ServiceManagerPlugin<Contents.IDrive> = {
  id: 'jupyter-fleet:drive',
  description: 'Saves over the version that the page holds, or not at all.',
  autoStart: true,
  provides: IDefaultDrive,
  optional: [IServerSettings],
  activate: (_: null, settings: ServerConnection.ISettings | null) => {
    const options = { serverSettings: settings ?? undefined };
    return inFleet()
      ? new VersionedDrive(options)
      : new Drive(options);
  }
};

/** Lends the drive the page's documents and dialogs. */
const conflicts: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:conflicts',
  description: 'Asks what to do when somebody else has saved a file first.',
  autoStart: true,
  requires: [IDefaultDrive, IDocumentManager],
  optional: [ITranslator],
  activate: (
    app: JupyterFrontEnd,
    drive: Contents.IDrive,
    documents: IDocumentManager,
    translator: ITranslator | null
  ) => {
    if (!(drive instanceof VersionedDrive)) {
      return;
    }
    const trans = fleetBundle(translator);
    drive.page = {
      openDocument: (path, kind) => openDocument(app, documents, path, kind),
      ask: (path, conflict, canRevert) =>
        askAboutConflict(path, conflict, canRevert, trans),
      whyNotCreate: path => whyNotCreate(pageUser(), path, trans),
      whyNotChange: path => whyNotChange(pageUser(), path, trans)
    };
  }
};

function openDocument(
  app: JupyterFrontEnd,
  documents: IDocumentManager,
  path: string,
  kind: string
): IOpenDocument | null {
  const context = openContext(app, documents, path, kind);
  return (
    context && {
      revert: () => context.revert(),
      save: () => context.save(),
      // The status bar would go on saying "Saving started". The interface of the context
      // hides that its signal can be emitted; nothing else tells the status bar.
      saveEnded: () =>
        (context.saveState as Signal<typeof context, DocumentRegistry.SaveState>).emit('failed'),
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

function kindOfContext(
  app: JupyterFrontEnd,
  context: DocumentRegistry.Context
): string | null {
  // Not in the interface, but documented on the class: which kind of model the context has.
  const { factoryName } = context as unknown as { factoryName?: string };
  const factory = app.docRegistry.getModelFactory(factoryName ?? '');
  return factory
    ? kindOf({ type: factory.contentType, format: factory.fileFormat })
    : null;
}

export default [
  drive,
  conflicts,
  account,
  cellExecutor,
  connectionLost,
  consoleEntry,
  idleWarning,
  kernelDialogs,
  kernelEnd,
  kernelNames,
  lastOutputs,
  longOutput,
  projectsPage,
  roleChange,
  serverSettings,
  shownRefusals,
  shutDown,
  signInDialog,
  signInPlugin,
  viewerCommands,
  viewOnly
];
