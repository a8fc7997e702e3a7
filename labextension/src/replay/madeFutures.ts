import type { OutputArea } from '@jupyterlab/outputarea';

import { type Future, futureIn } from './adoptedRequest.js';

/** The futures that a page has made for requests, of each request the last one. */
export class MadeFutures {
  add(future: Future): Future {
    for (const [request, { isDisposed }] of this._made) {
      if (isDisposed) {
        this._made.delete(request);
      }
    }
    this._made.set(future.msg.header.msg_id, future);
    return future;
  }

  /** The requests whose areas have futures that `isReplacedIn` them. */
  replaced(areaOf: (request: string) => OutputArea | undefined): string[] {
    return [...this._made.keys()].filter(request => {
      const area = areaOf(request);
      return area !== undefined && this.isReplacedIn(area, request);
    });
  }

  /**
   * Whether JupyterLab has given an area a future in whose place another one was made: what the kernel
   * says goes to that one. So it is when a running cell was cut and pasted, and both are undone.
   */
  isReplacedIn(area: OutputArea, request: string): boolean {
    const future = futureIn(area);
    const made = this._made.get(request);
    return future?.msg.header.msg_id === request && made !== undefined && made !== future;
  }

  private readonly _made = new Map<string, Future>();
}
