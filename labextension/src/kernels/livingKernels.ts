import type { ISessionContext } from '@jupyterlab/apputils';

import type { IKernelOwner } from './whose.js';

/**
 * A context for the choice of a kernel in which none is offered that has ended or is another person's alone.
 *
 * JupyterLab lists each by its notebook's name, as if it could be used. Where the document's own one
 * has ended, the list begins with its kernelspec.
 */
export function livingOnly(
  context: ISessionContext,
  isOut: (kernel: IKernelOwner) => boolean
): ISessionContext {
  const { kernelManager, session } = context;
  const manager =
    kernelManager &&
    (Object.create(kernelManager, {
      running: {
        value: () => [...kernelManager.running()].filter(kernel => !isOut(kernel)).values()
      }
    }) as typeof kernelManager);
  const own = session?.kernel && isOut(session.kernel) ? null : session;
  const instead = new Map<string | symbol, unknown>([
    ['kernelManager', manager],
    ['session', own]
  ]);
  return new Proxy(context, {
    get: (target, key) => {
      const value: unknown = instead.has(key) ? instead.get(key) : Reflect.get(target, key, target);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target)
  });
}
