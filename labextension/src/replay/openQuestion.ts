import type { OutputArea } from '@jupyterlab/outputarea';
import type { Kernel } from '@jupyterlab/services';

/** JupyterLab's classes of the box for an answer, and of one that goes in a moment: it is answered. */
const BOX = 'jp-OutputArea-stdin-item';
const GOING = 'jp-OutputArea-stdin-hiding';

/**
 * The last question of a kernel that this page shows.
 *
 * JupyterLab runs no cell before it is answered here. But another page may answer it, or end the cell.
 */
export class OpenQuestion {
  constructor(private readonly _kernel: Pick<Kernel.IKernelConnection, 'hasPendingInput'>) {}

  /** The kernel asks, in this request. */
  asked(request: string): void {
    this._request = request;
  }

  /** A question was answered, or dropped, before this page could show it. */
  dropped(): void {
    this._kernel.hasPendingInput = false;
  }

  /**
   * No question of this request waits for an answer.
   *
   * @param area - Shows the request; undefined if nothing does.
   */
  settled(request: string, area: OutputArea | undefined): void {
    if (request !== this._request) {
      return;
    }
    this._request = null;
    this._kernel.hasPendingInput = false;
    for (const item of [...(area?.widgets ?? [])]) {
      if (item.hasClass(BOX) && !item.hasClass(GOING)) {
        item.dispose();
      }
    }
  }

  private _request: string | null = null;
}
