import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, type ISessionContext, showErrorMessage } from '@jupyterlab/apputils';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import type { Widget } from '@lumino/widgets';

import { fleetBundle } from '../page/fleetBundle.js';
import { showKernelDetails } from './kernelDetailsDialog.js';
import { IStartOptions, StartOptions } from './startOptions.js';
import { isBarred } from '../user/fleetUser.js';
import { inFleet, pageUser } from '../user/pageUser.js';

const START = 'jupyter-fleet:start-kernel-with-options';
const DETAILS = 'jupyter-fleet:kernel-details';

/** Commands to choose how a kernel is started, and to see how it was. */
export const startOptions: JupyterFrontEndPlugin<StartOptions> = {
  id: 'jupyter-fleet:start-options',
  description: 'Starts kernels with options, such as their memory or queue.',
  autoStart: true,
  provides: IStartOptions,
  optional: [ICommandPalette, IMainMenu, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    menu: IMainMenu | null,
    translator: ITranslator | null
  ) => {
    const trans = fleetBundle(translator);
    const { kernelspecs, serverSettings } = app.serviceManager;
    const options = new StartOptions(kernelspecs, serverSettings, trans);
    if (!inFleet()) {
      return options;
    }
    const current = () => {
      const widget: (Widget & { sessionContext?: ISessionContext }) | null =
        app.shell.currentWidget;
      return widget?.sessionContext;
    };
    const noArguments = { args: { type: 'object', properties: {} } };
    app.commands.addCommand(START, {
      label: trans.__('Start Kernel With Options…'),
      caption: trans.__('Choose the size, queue and settings of a kernel, and start it'),
      describedBy: noArguments,
      // Where no kernel has options there is nothing new to see.
      isVisible: () => {
        const context = current();
        return !!context && options.areThere(context);
      },
      isEnabled: () => {
        const context = current();
        return !!context && options.areThere(context) && !isBarred(pageUser(), context.path);
      },
      execute: async () => {
        const context = current();
        try {
          await (context && options.ask(context));
        } catch (error) {
          await showErrorMessage(trans.__('The Kernel Was Not Started'), error as Error);
        }
      }
    });
    app.commands.addCommand(DETAILS, {
      label: trans.__('Kernel Details…'),
      caption: trans.__('Whose kernel it is, and how it was started'),
      describedBy: noArguments,
      isEnabled: () => !!current()?.session?.kernel,
      execute: async () => {
        const kernel = current()?.session?.kernel;
        if (kernel) {
          await showKernelDetails(kernel.id, app.serviceManager, trans);
        }
      }
    });
    const category = (translator ?? nullTranslator).load('jupyterlab').__('Kernel Operations');
    for (const command of [START, DETAILS]) {
      palette?.addItem({ command, category });
    }
    menu?.kernelMenu.addGroup([{ command: START }, { command: DETAILS }], 3);
    return options;
  }
};
