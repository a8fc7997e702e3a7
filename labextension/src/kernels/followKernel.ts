import type { ISessionContext } from '@jupyterlab/apputils';
import type { Kernel } from '@jupyterlab/services';

import type { KernelStream } from '../stream/kernelStream.js';
import type { Streams } from '../stream/streams.js';

/** Call `found` with each kernel that a document gets, and its stream. */
export function followKernel(
  context: ISessionContext,
  streams: Streams,
  found: (kernel: Kernel.IKernelConnection, stream: KernelStream) => void
): void {
  const seen = new WeakSet<KernelStream>();
  const look = () => {
    const kernel = context.session?.kernel;
    const stream = kernel && streams.get(kernel.id, kernel.clientId);
    if (stream && !seen.has(stream)) {
      seen.add(stream);
      found(kernel, stream);
    }
  };
  context.kernelChanged.connect(look);
  streams.added.connect(look);
  context.disposed.connect(() => streams.added.disconnect(look));
  look();
}
