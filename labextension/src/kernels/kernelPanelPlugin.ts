import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { IConsoleTracker } from '@jupyterlab/console';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import { fleetBundle } from '../page/fleetBundle.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { type KernelPanel, watchKernelPanels } from './kernelPanels.js';

/** A plugin that calls `opened` for each notebook and console, now and later, in a fleet's page. */
export function kernelPanelPlugin(
  id: string,
  description: string,
  opened: (
    panel: KernelPanel,
    context: ISessionContext,
    streams: Streams,
    trans: TranslationBundle
  ) => void
): JupyterFrontEndPlugin<void> {
  return {
    id,
    description,
    autoStart: true,
    requires: [IStreams],
    optional: [IConsoleTracker, ITranslator],
    activate: (
      app: JupyterFrontEnd,
      streams: Streams | null,
      consoles: IConsoleTracker | null,
      translator: ITranslator | null
    ) => {
      if (streams) {
        const trans = fleetBundle(translator);
        watchKernelPanels(app, consoles, (panel, context) =>
          opened(panel, context, streams, trans)
        );
      }
    }
  };
}
