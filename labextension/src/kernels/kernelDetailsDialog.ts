import { Dialog, showDialog } from '@jupyterlab/apputils';
import { KernelAPI, type ServiceManager } from '@jupyterlab/services';
import type { TranslationBundle } from '@jupyterlab/translation';
import { Widget } from '@lumino/widgets';

import { detailsOf } from '../launches/kernelDetails.js';

/** Show what the server knows of a kernel: whose it is, how it is, with which options it started. */
export async function showKernelDetails(
  id: string,
  services: ServiceManager.IManager,
  trans: TranslationBundle
): Promise<void> {
  const model = await KernelAPI.getKernelModel(id, services.serverSettings);
  const body = new Widget();
  body.addClass('jp-fleet-KernelDetails');
  if (model) {
    const specs = services.kernelspecs.specs?.kernelspecs ?? {};
    const name = specs[model.name]?.display_name ?? model.name;
    const { about, options } = detailsOf(model, name, services.sessions.running(), trans);
    body.node.append(listOf(about));
    if (options.length) {
      const title = document.createElement('h3');
      title.textContent = trans.__('Started with');
      body.node.append(title, listOf(options));
    }
  } else {
    body.node.textContent = trans.__('This kernel is no longer there.');
  }
  await showDialog({
    title: trans.__('Kernel Details'),
    body,
    buttons: [Dialog.okButton({ label: trans.__('Close') })]
  });
}

function listOf(rows: readonly [string, string][]): HTMLElement {
  const list = document.createElement('dl');
  for (const [name, value] of rows) {
    const term = document.createElement('dt');
    term.textContent = name;
    const definition = document.createElement('dd');
    definition.textContent = value;
    list.append(term, definition);
  }
  return list;
}
