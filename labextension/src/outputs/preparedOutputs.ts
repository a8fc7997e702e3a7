import type { IOutput } from '@jupyterlab/nbformat';
import { OutputAreaModel } from '@jupyterlab/outputarea';
import { ISignal, Signal } from '@lumino/signaling';

import { type IPreparedBy, isSameProcess, unmarked } from './preparedMessages.js';

/** The outputs of a cell that the user has run, and into which others may have put something. */
export interface IPreparedOutputs {
  readonly model: OutputAreaModel;
  readonly by: IPreparedBy;
}

const distrusted = new Signal<object, IPreparedOutputs>({});
const preparedAreas = new WeakMap<object, readonly IPreparedBy[]>();
const preparedOutputs = new WeakMap<object, IPreparedBy>();

/** Emitted when outputs of the user stop to be trusted because others may have prepared them. */
export const preparedOutputsFound: ISignal<object, IPreparedOutputs> = distrusted;

/** Whether all that others may have prepared in outputs of the user was said by this process. */
export function isPreparedIn(model: object, place: IPreparedBy): boolean {
  return preparedAreas.get(model)?.every(by => isSameProcess(by, place)) ?? false;
}

/** Where an output that the user has made was prepared; null if it was not, or others have made it. */
export function preparedOutputBy(output: object): IPreparedBy | null {
  return preparedOutputs.get(output) ?? null;
}

/**
 * Have no output area trust what others may have prepared: those of cells, consoles and widgets.
 *
 * JupyterLab trusts all that it hears of a cell that its user has run.
 */
export function distrustPreparedOutputs(): void {
  // Widgets and cells make their models themselves: no factory could give all of them another class.
  /* eslint-disable @typescript-eslint/unbound-method -- called with their own `this` */
  const { add, set, clear } = OutputAreaModel.prototype;
  /* eslint-enable @typescript-eslint/unbound-method */
  OutputAreaModel.prototype.add = function (this: OutputAreaModel, output: IOutput) {
    const length = add.call(this, withoutMark(this, output));
    note(this, length - 1);
    return length;
  };
  OutputAreaModel.prototype.set = function (this: OutputAreaModel, index: number, output: IOutput) {
    set.call(this, index, withoutMark(this, output));
    note(this, index);
  };
  OutputAreaModel.prototype.clear = function (this: OutputAreaModel, wait = false) {
    if (!wait) {
      preparedAreas.delete(this);
    }
    clear.call(this, wait);
  };
}

function note(model: OutputAreaModel, index: number): void {
  const [by] = preparedAreas.get(model)?.slice(-1) ?? [];
  const output = by && index < model.length ? model.get(index) : null;
  if (by && output) {
    preparedOutputs.set(output, by);
  }
}

function withoutMark(model: OutputAreaModel, output: IOutput): IOutput {
  const found = unmarked(output.metadata);
  if (!found) {
    return output;
  }
  const { by } = found;
  const earlier = preparedAreas.get(model);
  if (model.trusted) {
    model.trusted = false;
    preparedAreas.set(model, [by]);
    distrusted.emit({ model, by });
  } else if (earlier && !earlier.some(one => isSameProcess(one, by))) {
    preparedAreas.set(model, [...earlier, by]);
  }
  return { ...output, metadata: found.metadata };
}
