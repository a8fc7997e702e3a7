import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import { type Cell, CodeCell } from '@jupyterlab/cells';
import { IConsoleTracker } from '@jupyterlab/console';
import type { Kernel } from '@jupyterlab/services';
import { ITranslator, type TranslationBundle } from '@jupyterlab/translation';

import { fleetBundle } from '../page/fleetBundle.js';
import { cellsChanged, cellsOf, type KernelPanel, watchKernelPanels } from './kernelPanels.js';
import type { WaitingCells } from '../launches/waitingCells.js';
import { inFleet } from '../user/pageUser.js';
import { IWaitingCells } from './waitingCellsPlugin.js';

/** Marks the cells that wait, and takes them back when a person interrupts or cancels. */
export const waitingMarks: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:waiting-marks',
  description: 'Shows which cells wait for their kernel.',
  autoStart: true,
  requires: [IWaitingCells],
  optional: [IConsoleTracker, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    waiting: WaitingCells<ISessionContext>,
    consoles: IConsoleTracker | null,
    translator: ITranslator | null
  ) => {
    if (!inFleet()) {
      return;
    }
    const trans = fleetBundle(translator);
    const contexts = new Set<ISessionContext>();
    watchKernelPanels(app, consoles, (panel, context) => {
      contexts.add(context);
      panel.disposed.connect(() => contexts.delete(context));
      cancelWithKernel(waiting, context, contexts);
      mark(waiting, panel, context, trans);
    });
  }
};

/** What drops the cells that a running kernel has not begun drops those that wait, too. */
function cancelWithKernel(
  waiting: WaitingCells<ISessionContext>,
  context: ISessionContext,
  all: ReadonlySet<ISessionContext>
): void {
  const guarded = new WeakSet<Kernel.IKernelConnection>();
  const guard = (kernel: Kernel.IKernelConnection | null | undefined) => {
    if (!kernel || guarded.has(kernel)) {
      return;
    }
    guarded.add(kernel);
    const interrupt = kernel.interrupt.bind(kernel);
    kernel.interrupt = () => {
      for (const other of all) {
        // A console may have the kernel of a notebook.
        if (other.session?.kernel?.id === kernel.id) {
          waiting.cancel(other);
        }
      }
      return interrupt();
    };
  };
  guard(context.session?.kernel);
  context.kernelChanged.connect((_, { newValue }) => guard(newValue));
  context.statusChanged.connect((_, status) => {
    if (status === 'restarting' || status === 'terminating') {
      waiting.cancel(context);
    }
  });
}

const MARK = 'jp-fleet-Waiting';

/** Show below the input of each cell that waits that it does. */
function mark(
  waiting: WaitingCells<ISessionContext>,
  panel: KernelPanel,
  context: ISessionContext,
  trans: TranslationBundle
): void {
  let marked = false;
  const update = () => {
    const ids = new Set(waiting.of(context).map(({ id }) => id));
    if (!marked && !ids.size) {
      // Each key that is pressed comes here, and a notebook may have thousands of cells.
      return;
    }
    marked = ids.size > 0;
    for (const cell of cellsOf(panel)) {
      const shown = cell.node.querySelector(`:scope > .${MARK}`);
      if (!ids.has(cell.model.id)) {
        const focused = shown?.contains(document.activeElement);
        shown?.remove();
        if (focused) {
          panel.activate();
        }
      } else if (!shown) {
        show(cell, () => waiting.cancel(context, cell.model.id), trans);
      }
    }
  };
  const changed = (_: unknown, of: ISessionContext) => {
    if (of === context) {
      update();
    }
  };
  waiting.changed.connect(changed);
  // A cell that is moved gets another widget.
  cellsChanged(panel).connect(update);
  panel.disposed.connect(() => {
    waiting.changed.disconnect(changed);
  });
}

function show(cell: Cell, cancel: () => void, trans: TranslationBundle): void {
  if (!(cell instanceof CodeCell)) {
    return;
  }
  const line = document.createElement('div');
  line.className = MARK;
  // Enter and Space are for the button, not for the notebook.
  line.dataset.lmSuppressShortcuts = 'true';
  const text = document.createElement('span');
  text.textContent = trans.__('Waits for the kernel');
  const button = document.createElement('button');
  button.className = 'jp-fleet-Button';
  button.textContent = trans.__('Cancel');
  button.setAttribute('aria-label', trans.__('Cancel: do not run this cell'));
  button.addEventListener('click', cancel);
  line.append(text, button);
  cell.node.querySelector(':scope > .jp-Cell-inputWrapper')?.after(line);
}
