import type { ISessionContext } from '@jupyterlab/apputils';

/**
 * A context for the choice of a kernel in which no kernel is offered that has ended.
 *
 * JupyterLab lists each by its notebook's name, as if it could be used. Where the document's own one
 * has ended, the list begins with its kernelspec.
 */
export function livingOnly(
  context: ISessionContext,
  isDead: (id: string) => boolean
): ISessionContext {
  const { kernelManager, session } = context;
  const manager =
    kernelManager &&
    (Object.create(kernelManager, {
      running: {
        value: () => [...kernelManager.running()].filter(({ id }) => !isDead(id)).values()
      }
    }) as typeof kernelManager);
  const own = session?.kernel && isDead(session.kernel.id) ? null : session;
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
