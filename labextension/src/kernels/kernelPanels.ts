import type { JupyterFrontEnd } from '@jupyterlab/application';
import type { ISessionContext } from '@jupyterlab/apputils';
import type { Cell } from '@jupyterlab/cells';
import type { ConsolePanel, IConsoleTracker } from '@jupyterlab/console';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { NotebookPanel } from '@jupyterlab/notebook';
import type { ISignal } from '@lumino/signaling';

/** What has cells and a kernel to run them. */
export type KernelPanel = NotebookPanel | ConsolePanel;

/** Call `opened` for each notebook and console that is open, now and later. */
export function watchKernelPanels(
  { docRegistry }: JupyterFrontEnd,
  consoles: IConsoleTracker | null,
  opened: (panel: KernelPanel, context: ISessionContext) => void
): void {
  docRegistry.addWidgetExtension('Notebook', {
    createNew: (panel: NotebookPanel, { sessionContext }: DocumentRegistry.Context) => {
      opened(panel, sessionContext);
    }
  });
  consoles?.forEach(panel => opened(panel, panel.sessionContext));
  consoles?.widgetAdded.connect((_, panel) => opened(panel, panel.sessionContext));
}

/** The cells of a panel in their order. */
export function cellsOf(panel: KernelPanel): Iterable<Cell> {
  return panel instanceof NotebookPanel ? panel.content.widgets : panel.console.cells;
}

/** Emitted when a panel has other cells, or other widgets for them. */
export function cellsChanged(panel: KernelPanel): ISignal<unknown, unknown> {
  return panel instanceof NotebookPanel
    ? panel.content.modelContentChanged
    : panel.console.cells.changed;
}
