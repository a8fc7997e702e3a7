import type { ICellModel } from '@jupyterlab/cells';

/** Trust nothing that a cell shows: neither in this page, nor once it has been saved. */
export function untrust(model: ICellModel): void {
  model.trusted = false;
  model.deleteMetadata('trusted');
}
