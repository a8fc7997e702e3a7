import { ICodeCellModel, isCodeCellModel } from '@jupyterlab/cells';
import type { Kernel } from '@jupyterlab/services';

import { cellsOf, type KernelPanel } from '../kernels/kernelPanels.js';
import { WIDGET_VIEW } from '../outputs/outputTypes.js';
import type { OwnComms } from '../stream/ownComms.js';

const asking = new WeakSet<Kernel.IKernelConnection>();

/**
 * Show the widgets of a kernel of which this page may hear by now.
 *
 * JupyterLab asks the kernel again for its widgets when it is connected again.
 */
export async function showWidgets(
  panel: KernelPanel,
  kernel: Kernel.IKernelConnection,
  comms: OwnComms
): Promise<void> {
  if (asking.has(kernel)) {
    return;
  }
  asking.add(kernel);
  const drawAgain = () => {
    comms.told.disconnect(drawAgain);
    drawWidgetsAgain(panel);
  };
  comms.told.connect(drawAgain);
  try {
    await kernel.reconnect();
  } finally {
    asking.delete(kernel);
  }
}

/** Outputs that have said "model not found" look once more for the widgets that are there now. */
function drawWidgetsAgain(panel: KernelPanel): void {
  for (const { model } of cellsOf(panel)) {
    if (isCodeCellModel(model) && model.trusted && showsWidget(model)) {
      model.outputs.trusted = false;
      model.outputs.trusted = true;
    }
  }
}

function showsWidget({ outputs }: ICodeCellModel): boolean {
  return Array.from({ length: outputs.length }, (_, at) => outputs.get(at)).some(
    ({ data }) => WIDGET_VIEW in data
  );
}
