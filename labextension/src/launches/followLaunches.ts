import { ISignal, Signal } from '@lumino/signaling';

import type { IStageModel } from './launchStage.js';

type Model = IStageModel & { readonly id: string; readonly path?: string };

/** What this needs of JupyterLab's list of kernels. */
export interface IPolledKernels {
  readonly isDisposed: boolean;
  readonly runningChanged: ISignal<unknown, unknown>;
  running(): Iterable<Model>;
}

/** What JupyterLab keeps to itself. */
interface IInside {
  _kernelAPIClient?: { listRunning(): Promise<Model[]> };
  _models?: Map<string, Model>;
  requestRunning?: () => Promise<void>;
}

/**
 * Have a list of kernels change whenever a launch does, or a kernel's document has another path.
 *
 * JupyterLab compares Jupyter's own fields only: it drops a list that differs in nothing but these,
 * and what shows the list would never know.
 */
export function followLaunches(kernels: IPolledKernels): void {
  const inside = kernels as unknown as IInside;
  const client = inside._kernelAPIClient;
  const requestRunning = inside.requestRunning?.bind(kernels);
  if (!client || !requestRunning) {
    return;
  }
  let latest: Model[] = [];
  const listRunning = client.listRunning.bind(client);
  client.listRunning = async () => (latest = await listRunning());
  inside.requestRunning = async () => {
    await requestRunning();
    if (!kernels.isDisposed && tellsOther([...kernels.running()], latest)) {
      inside._models = new Map(latest.map(model => [model.id, model]));
      (kernels.runningChanged as Signal<unknown, unknown>).emit(latest);
    }
  };
}

/** Whether a list says something else of the launches and documents of another one's kernels. */
export function tellsOther(before: readonly Model[], after: readonly Model[]): boolean {
  const known = new Map(before.map(model => [model.id, fields(model)]));
  return after.some(model => known.has(model.id) && known.get(model.id) !== fields(model));
}

function fields({ state, launch, launch_failed, reason, path }: Model): string {
  return JSON.stringify([state, launch, launch_failed, reason, path]);
}
