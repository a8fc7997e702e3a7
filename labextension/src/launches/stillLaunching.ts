import type { KernelLaunches } from './kernelLaunches.js';
import type { IStageModel } from './launchStage.js';

/**
 * Whether a kernel that the page believes to be launching still is, by the server's word: it may
 * run by now, and a colleague work in it. If the server does not answer, it may run.
 *
 * @param ask - Gets the server's model of the kernel, undefined if it is gone.
 */
export async function stillLaunching(
  launches: KernelLaunches,
  id: string,
  ask: (id: string) => Promise<(IStageModel & { readonly id: string }) | undefined>
): Promise<boolean> {
  if (launches.stageOf(id).is !== 'launching') {
    return false;
  }
  const model = await ask(id).catch(() => undefined);
  if (model) {
    launches.read(model);
  }
  return model?.state === 'launching';
}
