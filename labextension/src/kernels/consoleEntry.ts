import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IDefaultFileBrowser } from '@jupyterlab/filebrowser';
import type { CommandRegistry } from '@lumino/commands';

import { inFleet, pageUser, rolesChanged } from '../user/pageUser.js';
import { registeredCommand } from '../page/registeredCommand.js';
import { startingPlace } from '../user/startingPlace.js';

const CREATE = 'console:create';

/** Disables File > New > Console where the console's kernel would be in no project. */
export const consoleEntry: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:console-entry',
  description: 'Offers new consoles inside a project that the user may edit.',
  autoStart: true,
  requires: [IDefaultFileBrowser],
  activate: (app: JupyterFrontEnd, browser: IDefaultFileBrowser) => {
    if (!inFleet() || pageUser() === null) {
      return;
    }
    void app.started.then(() => {
      allowOnly(
        app.commands,
        CREATE,
        () => startingPlace(pageUser(), browser.model.path) === 'here'
      );
      const changed = () => app.commands.notifyCommandChanged(CREATE);
      browser.model.pathChanged.connect(changed);
      rolesChanged.connect(changed);
    });
  }
};

/**
 * Disable one of JupyterLab's commands while `allowed` says no.
 *
 * Callers that execute it for an open document are not asked.
 */
function allowOnly(commands: CommandRegistry, id: string, allowed: () => boolean): void {
  const command = registeredCommand(commands, id);
  if (!command) {
    return;
  }
  const { isEnabled } = command;
  command.isEnabled = args => allowed() && isEnabled.call(undefined, args);
  commands.notifyCommandChanged(id);
}
