import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Dialog, type ISessionContext, showDialog } from '@jupyterlab/apputils';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { Kernel } from '@jupyterlab/services';
import { IRunningSessionManagers, IRunningSessions } from '@jupyterlab/running';
import { ITranslator, nullTranslator, TranslationBundle } from '@jupyterlab/translation';
import { cleaningIcon } from '@jupyterlab/ui-components';
import { Widget } from '@lumino/widgets';

import { fleetBundle } from '../page/fleetBundle.js';
import { FirstKernels } from './firstKernels.js';
import { guardSessionContexts } from './guardedSessionContext.js';
import { KernelEnder } from './kernelEnder.js';
import type { KernelLaunches } from '../launches/kernelLaunches.js';
import { IKernelLaunches } from '../launches/launchesPlugin.js';
import { inFleet, pageUser } from '../user/pageUser.js';
import { replaceCommand } from '../page/replaceCommand.js';
import { IStreams, type Streams } from '../stream/streams.js';
import { shutDownWords } from './shutDownWords.js';

/** Where kernels are shut down, "all" means mine, and another person's is asked about by name. */
export const shutDown: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:shut-down',
  description: 'Keeps other people\'s kernels out of "Shut Down All".',
  autoStart: true,
  requires: [IKernelLaunches, IStreams],
  optional: [IRunningSessionManagers, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    launches: KernelLaunches,
    streams: Streams | null,
    running: IRunningSessionManagers | null,
    translator: ITranslator | null
  ) => {
    if (!inFleet()) {
      return;
    }
    const trans = fleetBundle(translator);
    const ender = new KernelEnder(
      app.serviceManager,
      pageUser()?.username ?? '',
      streams ?? [],
      trans
    );
    const question = (mine: readonly unknown[]) =>
      shutDownWords(
        mine.length,
        ender.sharedKernels().map(kernel => ender.labelOf(kernel)),
        trans
      );
    const firstKernels = new FirstKernels<ISessionContext>();
    app.docRegistry.addWidgetExtension('Notebook', {
      createNew: (_, { sessionContext }: DocumentRegistry.Context) => {
        firstKernels.opened(sessionContext);
      }
    });
    guardSessionContexts(ender, firstKernels, launches, trans);
    replaceShutDownCommands(app, ender, question, trans);
    if (running) {
      // The style sheet makes room for the label beside the section's title.
      document.body.classList.add('jp-fleet-ShutDownMine');
      const theirs = (translator ?? nullTranslator).load('jupyterlab').__('Kernels');
      const change = (section: IRunningSessions.IManager) => {
        if (section.name === theirs) {
          section.shutdownAllLabel = trans.__('Shut Down Mine');
          section.shutdownAllConfirmationText = () => question(ender.myKernels());
        }
      };
      running.items().forEach(change);
      running.added.connect((_, section) => change(section));
    }
  }
};

function replaceShutDownCommands(
  app: JupyterFrontEnd,
  ender: KernelEnder,
  question: (mine: readonly unknown[]) => string,
  trans: TranslationBundle
): void {
  const { commands } = app;
  const unused = () => ender.myKernels().filter(kernel => (kernel.connections ?? 1) < 1);
  replaceCommand(commands, 'kernelmenu:shutdownAll', {
    label: trans.__('Shut Down All My Kernels…'),
    isEnabled: () => ender.myKernels().length > 0,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => askAndEnd(trans.__('Shut Down All My Kernels?'), () => ender.myKernels())
  });
  const unusedLabel = trans.__('Shut Down My Unused Kernels');
  replaceCommand(commands, 'running:kernel-shut-down-unused', {
    label: args => (args.toolbar ? '' : unusedLabel),
    icon: args => (args.toolbar ? cleaningIcon : undefined),
    isEnabled: () => unused().length > 0,
    describedBy: {
      args: { type: 'object', properties: { toolbar: { type: 'boolean' } } }
    },
    execute: () => askAndEnd(trans.__('%1?', unusedLabel), unused)
  });
  app.serviceManager.kernels.runningChanged.connect(() => {
    commands.notifyCommandChanged('kernelmenu:shutdownAll');
    if (commands.hasCommand('running:kernel-shut-down-unused')) {
      commands.notifyCommandChanged('running:kernel-shut-down-unused');
    }
  });

  async function askAndEnd(title: string, listed: () => Kernel.IModel[]): Promise<void> {
    // Others may have come since the list was last read.
    await app.serviceManager.kernels.refreshRunning();
    const kernels = listed();
    if (!kernels.length) {
      return;
    }
    const { button } = await showDialog({
      title,
      body: new KernelList(
        question(kernels),
        kernels.map(k => ender.labelOf(k))
      ),
      buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: trans.__('Shut Down') })]
    });
    if (button.accept) {
      await ender.endMine(kernels);
    }
  }
}

/** A sentence and the kernels that it is about. */
class KernelList extends Widget {
  constructor(sentence: string, names: readonly string[]) {
    super();
    const list = document.createElement('ul');
    for (const name of names) {
      list.appendChild(document.createElement('li')).textContent = name;
    }
    this.node.append(sentence, list);
  }
}
