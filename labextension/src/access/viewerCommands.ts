import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { IDocumentManager } from '@jupyterlab/docmanager';
import { ITranslator } from '@jupyterlab/translation';

import { tellBarred } from '../user/barredNotice.js';
import { barredText } from '../user/barredText.js';
import { fleetBundle } from '../page/fleetBundle.js';
import { inFleet, pageUser } from '../user/pageUser.js';
import { registeredCommand } from '../page/registeredCommand.js';

/** What needs a kernel or changes the document. Menus, shortcuts and toolbars run these. */
const COMMANDS: readonly string[] = [
  'notebook:interrupt-kernel',
  'notebook:restart-kernel',
  'notebook:restart-clear-output',
  'notebook:restart-run-all',
  'notebook:restart-and-run-to-selected',
  'notebook:reconnect-to-kernel',
  'notebook:change-kernel',
  'notebook:shutdown-kernel',
  'notebook:create-console',
  'notebook:create-subshell-console',
  'notebook:run-in-console',
  'console:interrupt-kernel',
  'console:restart-kernel',
  'console:change-kernel',
  'console:shutdown',
  'console:run-forced',
  'console:run-unforced',
  'fileeditor:create-console',
  'fileeditor:restart-console',
  'fileeditor:run-code',
  'fileeditor:run-all',
  'docmanager:duplicate',
  'docmanager:rename',
  'docmanager:restore-checkpoint',
  'docmanager:save'
];

/** Commands that would do nothing for somebody who may not change the document say why instead. */
export const viewerCommands: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:viewer-commands',
  description:
    'Tells viewers, and whoever has lost a project, why they cannot run or save a document.',
  autoStart: true,
  requires: [IDocumentManager],
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, documents: IDocumentManager, translator: ITranslator | null) => {
    if (!inFleet() || pageUser() === null) {
      return;
    }
    const trans = fleetBundle(translator);
    const currentPath = () => {
      const widget = app.shell.currentWidget;
      return (
        (widget && documents.contextForWidget(widget)?.path) ??
        (widget as { sessionContext?: ISessionContext } | null)?.sessionContext?.path ??
        ''
      );
    };
    void app.started.then(() => {
      for (const id of COMMANDS) {
        const command = registeredCommand(app.commands, id);
        if (!command) {
          continue;
        }
        const { execute } = command;
        command.execute = args => {
          const refusal = barredText(pageUser(), currentPath(), trans);
          if (refusal) {
            tellBarred(refusal);
            return undefined;
          }
          return execute.call(undefined, args);
        };
      }
    });
  }
};
