import type { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { Cell, CodeCell } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { OutputArea, OutputAreaModel, SimplifiedOutputArea } from '@jupyterlab/outputarea';
import type { Widget } from '@lumino/widgets';

import { inFleet } from '../user/pageUser.js';

/** How many of the outputs that JupyterLab leaves out are shown all the same: the last ones. */
const LAST = 3;
const PAUSE_MS = 300;

export const lastOutputs: JupyterFrontEndPlugin<void> = {
  id: 'jupyter-fleet:last-outputs',
  description: 'Shows the last outputs of a cell that has more than JupyterLab shows.',
  autoStart: true,
  requires: [INotebookTracker],
  activate: (_: JupyterFrontEnd, tracker: INotebookTracker) => {
    if (!inFleet()) {
      return;
    }
    const seen = new WeakSet<Cell>();
    const watch = (panel: NotebookPanel) => {
      for (const cell of panel.content.widgets) {
        if (cell instanceof CodeCell && !seen.has(cell)) {
          seen.add(cell);
          watchOutputs(cell.outputArea);
        }
      }
    };
    tracker.widgetAdded.connect((_, panel) => {
      void panel.context.ready.then(() => {
        watch(panel);
        panel.content.model?.cells.changed.connect(() => watch(panel));
      });
    });
  }
};

/** Keep the last outputs in view, whatever comes and goes before them. */
function watchOutputs(area: OutputArea): void {
  let shown: Widget | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const show = () => {
    timer = undefined;
    shown?.dispose();
    shown = null;
    if (area.isDisposed) {
      return;
    }
    const { model } = area;
    const start = Math.max(model.length - LAST, area.maxNumberOutputs);
    if (start >= model.length) {
      return;
    }
    const values = [];
    for (let index = start; index < model.length; index += 1) {
      values.push(model.get(index).toJSON());
    }
    shown = new SimplifiedOutputArea({
      model: new OutputAreaModel({ values, trusted: model.trusted }),
      rendermime: area.rendermime,
      contentFactory: area.contentFactory
    });
    shown.addClass('jp-OutputArea-output');
    shown.addClass('jp-fleet-LastOutputs');
    area.layout.addWidget(shown);
  };
  area.outputLengthChanged.connect(() => {
    if (area.model.length > area.maxNumberOutputs || shown) {
      timer ??= setTimeout(show, PAUSE_MS);
    }
  });
  if (area.model.length > area.maxNumberOutputs) {
    show();
  }
}
