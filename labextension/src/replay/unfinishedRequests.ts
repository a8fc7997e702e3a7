/** A request whose end its cell has not shown. */
export interface IUnfinished {
  readonly cell: string;
  readonly request: string;
  /** Whether the kernel runs it, not only has it. */
  readonly runs: boolean;
}

/**
 * The requests whose ends a notebook has not shown yet, of each cell the latest one.
 *
 * JupyterLab replaces the widget of a cell that is cut and pasted, and of all cells when the file is
 * loaded again. Nothing fills the new one, though the kernel still runs the cell.
 */
export class UnfinishedRequests {
  began(request: string, cell: string): void {
    this._requests.set(cell, request);
  }

  /** The kernel runs this request, not only has it. */
  runs(request: string): void {
    this._running = request;
  }

  /** All of them; they are forgotten. */
  take(): IUnfinished[] {
    const taken = [...this._requests].map(([cell, request]) => ({
      cell,
      request,
      runs: request === this._running
    }));
    this._requests.clear();
    return taken;
  }

  /** A request is over; `isShown`: its cell is there, and shows all that it said. */
  ended(request: string, isShown: (cell: string) => boolean): void {
    for (const [cell, unfinished] of this._requests) {
      if (unfinished === request && isShown(cell)) {
        this._requests.delete(cell);
      }
    }
  }

  /** Forget those that the kernel does not know. */
  keep(isKnown: (request: string, cell: string) => boolean): void {
    for (const [cell, request] of this._requests) {
      if (!isKnown(request, cell)) {
        this._requests.delete(cell);
      }
    }
  }

  /**
   * Those that fill no cell though theirs is there.
   *
   * @param filledBy - The request that fills a cell, null if none does; undefined if the cell is gone.
   */
  lost(filledBy: (cell: string) => string | null | undefined): Set<string> {
    const lost = new Set<string>();
    for (const [cell, request] of this._requests) {
      const filling = filledBy(cell);
      if (filling !== undefined && filling !== request) {
        lost.add(request);
      }
    }
    return lost;
  }

  private _running: string | null = null;
  /** By cell. */
  private readonly _requests = new Map<string, string>();
}
