import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Widget } from '@lumino/widgets';

/** Whatever is open in the page; notebooks, consoles and the like have a session context. */
export function* openWidgets(
  shell: JupyterFrontEnd.IShell
): Generator<Widget & { readonly sessionContext?: ISessionContext }, void, undefined> {
  for (const area of ['main', 'left', 'right', 'down']) {
    yield* shell.widgets(area);
  }
}
