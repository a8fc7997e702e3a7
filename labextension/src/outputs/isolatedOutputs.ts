import { IOutputModel } from '@jupyterlab/rendermime';
import { OutputArea } from '@jupyterlab/outputarea';

import { isMine } from './mine.js';

/**
 * An output as it is drawn: without the flag `isolated` if it is not the user's own.
 *
 * With that flag JupyterLab copies what was drawn into a frame of its own, which has the page's
 * origin and knows nothing of a frame in it.
 */
export function withoutIsolation(model: IOutputModel): IOutputModel {
  if (isMine(model) || !hasFlag(model.metadata)) {
    return model;
  }
  const metadata = () =>
    Object.fromEntries(
      Object.entries(model.metadata)
        .filter(([name]) => name !== 'isolated')
        .map(([name, value]) => [name, isObject(value) ? { ...value, isolated: false } : value])
    );
  return Object.create(model, { metadata: { get: metadata } }) as IOutputModel;
}

/** Let all output areas draw outputs without the flag. */
export function drawWithoutIsolation(): void {
  // A cell makes its output area itself: no factory could give it another class.
  // eslint-disable-next-line @typescript-eslint/unbound-method -- called with its own `this`
  const stock = OutputArea.prototype['createRenderedMimetype'];
  OutputArea.prototype['createRenderedMimetype'] = function (
    this: OutputArea,
    model: IOutputModel
  ) {
    return stock.call(this, withoutIsolation(model));
  };
}

function hasFlag(metadata: object): boolean {
  return (
    'isolated' in metadata ||
    Object.values(metadata).some(value => isObject(value) && 'isolated' in value)
  );
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
