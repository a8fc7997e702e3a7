import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { IMainMenu } from '@jupyterlab/mainmenu';
import { ITranslator } from '@jupyterlab/translation';
import { MenuSvg, userIcon } from '@jupyterlab/ui-components';
import { MenuBar } from '@lumino/widgets';

import { fleetBundle } from '../page/fleetBundle.js';
import { inFleet, pageUser } from './pageUser.js';
import { signOut } from './signOut.js';

const WHO = 'jupyter-fleet:who-am-i';
const SIGN_OUT = 'jupyter-fleet:sign-out';

/** Shows at the top who is signed in, with a way to sign out. */
export const account: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:account',
  description: 'Shows who is signed in, and signs out.',
  autoStart: true,
  optional: [IMainMenu, ICommandPalette, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    mainMenu: IMainMenu | null,
    palette: ICommandPalette | null,
    translator: ITranslator | null
  ) => {
    const user = pageUser();
    if (!inFleet() || user === null) {
      return;
    }
    const trans = fleetBundle(translator);
    const { commands } = app;
    commands.addCommand(WHO, {
      label:
        user.displayName === user.username
          ? trans.__('Signed in as %1', user.username)
          : trans.__('Signed in as %1 (%2)', user.displayName, user.username),
      isEnabled: () => false,
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => undefined
    });
    commands.addCommand(SIGN_OUT, {
      label: trans.__('Sign Out'),
      caption: trans.__('Sign out of this browser; your kernels keep running'),
      describedBy: { args: { type: 'object', properties: {} } },
      execute: () => {
        // With changes that are not saved, the browser asks first.
        signOut(document, window);
      }
    });

    const menu = new MenuSvg({ commands });
    menu.title.label = user.displayName;
    menu.title.icon = userIcon;
    menu.addItem({ command: WHO });
    menu.addItem({ type: 'separator' });
    menu.addItem({ command: SIGN_OUT });
    // The menu hangs from the right edge of the window.
    const bar = new MenuBar({ forceItemsPosition: { forceX: false, forceY: true } });
    bar.id = 'jp-fleet-account';
    bar.addClass('jp-fleet-Account');
    bar.addMenu(menu);
    bar.contentNode.setAttribute('aria-label', trans.__('Account'));
    app.shell.add(bar, 'top', { rank: 1000 });

    mainMenu?.fileMenu.addGroup([{ command: SIGN_OUT }], 99);
    palette?.addItem({ command: SIGN_OUT, category: trans.__('Main Area') });
  }
};
