import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { createReadonlyLabel, DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import { ITranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { hasNoAccess, isBarred, mayEdit } from '../user/fleetUser.js';
import { joinSession } from '../kernels/joinSession.js';
import { openWidgets } from '../page/openWidgets.js';
import { inFleet, pageUser, rolesChanged } from '../user/pageUser.js';

/** What JupyterLab calls the label of a read-only document among the items of its toolbar. */
const LABEL = 'read-only-indicator';

/** Lets what is open follow this user's roles; notices of notebooks see to themselves. */
export const roleChange: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:role-change',
  description: "Lets open documents follow a change of this user's role.",
  autoStart: true,
  requires: [IDocumentManager],
  optional: [IDefaultFileBrowser, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    documents: IDocumentManager,
    browser: IDefaultFileBrowser | null,
    translator: ITranslator | null
  ) => {
    if (!inFleet()) {
      return;
    }
    // What has left its kernel and goes back to it when its user may use it again.
    const left = new WeakSet<ISessionContext>();
    rolesChanged.connect(() => {
      const user = pageUser();
      for (const widget of openWidgets(app.shell)) {
        const context = documents.contextForWidget(widget);
        if (context && documents.services.contents.driveName(context.path) === '') {
          setWritable(context, mayEdit(user, context.path));
          label(widget, context, translator);
        }
        const { sessionContext } = widget;
        if (sessionContext && isBarred(user, sessionContext.path)) {
          // One that is not ready never had a kernel, or a person has ended it.
          if (sessionContext.isReady) {
            left.add(sessionContext);
          }
          if (sessionContext.session) {
            leaveKernel(sessionContext);
          }
        } else if (sessionContext && left.delete(sessionContext)) {
          void joinSession(sessionContext);
        }
      }
      if (browser && hasNoAccess(user, `${browser.model.path}/any`)) {
        // Before JupyterLab asks for the folder and tells in a dialog that there is none.
        void browser.model.cd('/');
      }
      // Buttons do not ask again by themselves whether their commands are enabled.
      app.commands.notifyCommandChanged();
    });
  }
};

/** JupyterLab asks the server whether a document can be saved only when it loads the document. */
function setWritable(context: DocumentRegistry.Context, writable: boolean): void {
  const inside = context as unknown as { _contentsModel?: { writable: boolean } | null };
  if (inside._contentsModel) {
    inside._contentsModel.writable = writable;
  }
}

/** Show JupyterLab's label of a read-only document, or take it away. */
function label(
  widget: Widget,
  context: DocumentRegistry.Context,
  translator: ITranslator | null
): void {
  if (!(widget instanceof DocumentWidget)) {
    return;
  }
  const { toolbar } = widget;
  const shown = [...toolbar.children()].find(item => item.node.dataset.jpItemName === LABEL);
  if (context.contentsModel?.writable !== false) {
    shown?.dispose();
  } else if (!shown) {
    const item = createReadonlyLabel(widget, translator ?? undefined);
    if (!toolbar.insertBefore('kernelName', LABEL, item)) {
      toolbar.addItem(LABEL, item);
    }
  }
}

/** Disconnect a document from its kernel, which goes on. */
function leaveKernel(context: ISessionContext): void {
  const inside = context as unknown as { _handleNewSession?: (session: null) => unknown };
  inside._handleNewSession?.(null);
}
