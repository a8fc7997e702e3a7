import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { type ISessionContext, Notification } from '@jupyterlab/apputils';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import { fleetBundle } from '../page/fleetBundle.js';
import { hasEnded, type IListedKernel, toWarnOf } from './idleKernels.js';
import { openWidgets } from '../page/openWidgets.js';
import { inFleet } from '../user/pageUser.js';

/** How often the list that JupyterLab keeps is looked at: it asks the server every ten seconds. */
const LOOK_MS = 2000;

/** Warns before the server ends the kernel of an open notebook or console for being idle. */
export const idleWarning: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:idle-warning',
  description: 'Says when an idle kernel will be ended, and keeps it on demand.',
  autoStart: true,
  optional: [ITranslator],
  activate: (app: JupyterFrontEnd, translator: ITranslator | null) => {
    if (!inFleet()) {
      return;
    }
    const trans = fleetBundle(translator);
    const notices = new IdleNotices(app, trans);
    void app.restored.then(() => {
      setInterval(() => notices.update(), LOOK_MS);
    });
  }
};

/** What is shown of one kernel. */
interface INotice {
  id: string;
  at: number;
  name: string;
}

class IdleNotices {
  constructor(app: JupyterFrontEnd, trans: TranslationBundle) {
    this._app = app;
    this._trans = trans;
  }

  /** Show and remove notices according to the page's list of kernels. */
  update(): void {
    const open = this._openKernels();
    const listed = new Map<string, IListedKernel>();
    for (const model of this._app.serviceManager.kernels.running()) {
      listed.set(model.id, model);
    }
    // eslint-disable-next-line no-restricted-properties -- A server says when it will end kernels.
    const now = Date.now();
    const endings = toWarnOf(listed.values(), new Set(open.keys()), now);
    for (const { id, at } of endings) {
      this._show(id, at, open.get(id)!);
    }
    const stays = new Set(endings.map(ending => ending.id));
    for (const [id, notice] of [...this._notices]) {
      if (stays.has(id)) {
        continue;
      }
      this._notices.delete(id);
      Notification.dismiss(notice.id);
      if (!listed.has(id) && hasEnded(notice.at, now)) {
        Notification.info(
          this._trans.__(
            'The kernel of %1 was ended at %2 because it was idle. Its variables are gone; run a cell to start another one.',
            notice.name,
            timeOf(notice.at)
          ),
          { autoClose: false }
        );
      }
    }
  }

  private _show(id: string, at: number, context: ISessionContext): void {
    const shown = this._notices.get(id);
    if (shown?.at === at) {
      return;
    }
    if (shown) {
      Notification.dismiss(shown.id);
    }
    const name = context.name || context.path;
    const notice = Notification.warning(
      this._trans.__(
        'The kernel of %1 will be ended at %2 because it is idle. Its variables will be gone.',
        name,
        timeOf(at)
      ),
      {
        autoClose: false,
        actions: [
          {
            label: this._trans.__('Keep it'),
            // Whatever a page sends to a kernel counts as activity.
            callback: () => {
              // If the kernel has ended meanwhile, the next look says so.
              context.session?.kernel?.requestKernelInfo().catch(() => undefined);
            }
          }
        ]
      }
    );
    this._notices.set(id, { id: notice, at, name });
  }

  /** The kernels of what is open in the page, each with one of those who use it. */
  private _openKernels(): Map<string, ISessionContext> {
    const open = new Map<string, ISessionContext>();
    for (const { sessionContext } of openWidgets(this._app.shell)) {
      const kernel = sessionContext?.session?.kernel;
      if (sessionContext && kernel) {
        open.set(kernel.id, sessionContext);
      }
    }
    return open;
  }

  private readonly _app: JupyterFrontEnd;
  private readonly _trans: TranslationBundle;
  private readonly _notices = new Map<string, INotice>();
}

/** Hours and minutes, as they are written where the page is read. */
function timeOf(moment: number): string {
  return new Date(moment).toLocaleTimeString([], {
    hour: '2-digit',
    minute: '2-digit'
  });
}
