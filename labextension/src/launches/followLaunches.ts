import { ISignal, Signal } from '@lumino/signaling';

import type { IStageModel } from './launchStage.js';

type Model = IStageModel & { readonly id: string };

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
 * Have a list of kernels change whenever a launch does.
 *
 * JupyterLab compares Jupyter's own fields only: it drops a list that differs in nothing but how far
 * a kernel's launch is, and what shows the list would never know.
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
    if (!kernels.isDisposed && tellsOtherStages([...kernels.running()], latest)) {
      inside._models = new Map(latest.map(model => [model.id, model]));
      (kernels.runningChanged as Signal<unknown, unknown>).emit(latest);
    }
  };
}

/** Whether a list says something else of how far the kernels of another one are. */
export function tellsOtherStages(before: readonly Model[], after: readonly Model[]): boolean {
  const stages = new Map(before.map(model => [model.id, stageFields(model)]));
  return after.some(model => stages.has(model.id) && stages.get(model.id) !== stageFields(model));
}

function stageFields({ state, launch, launch_failed, reason }: Model): string {
  return JSON.stringify([state, launch, launch_failed, reason]);
}
