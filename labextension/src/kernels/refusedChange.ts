import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';

type Asked = Readonly<Partial<Kernel.IModel>>;

/** By the document: the kernel that a person asked for last, if the server refused it. */
const refused = new WeakMap<ISessionContext, Asked>();

/** Give a document another kernel, and remember which one it was if the server refuses. */
export async function changeOrRemember<T>(
  context: ISessionContext,
  asked: Asked,
  change: () => Promise<T>
): Promise<T> {
  refused.delete(context);
  try {
    return await change();
  } catch (error) {
    refused.set(context, asked);
    throw error;
  }
}

/** The kernel that the server refused; null if it refused none. */
export function refusedKernel(context: ISessionContext): Asked | null {
  return refused.get(context) ?? null;
}

/** The same, to be asked for once more; it is remembered no longer. */
export function takeRefused(context: ISessionContext): Asked | null {
  const asked = refusedKernel(context);
  refused.delete(context);
  return asked;
}

/** Remember the kernel that the server refused before, not what a person has tried since. */
export function rememberRefused(context: ISessionContext, asked: Asked | null): void {
  refused.delete(context);
  if (asked) {
    refused.set(context, asked);
  }
}
