/**
 * The requests of this page that the kernel's agent has not announced yet, of each cell the latest one:
 * they come after all that the agent has.
 */
export class OwnRequests {
  sent(request: string, cell: string): void {
    this._coming.set(cell, request);
    this._sinceAsked.set(cell, request);
  }

  /** The page asks the agent now: what it sends from here on the agent gets behind the question. */
  asked(): void {
    this._sinceAsked.clear();
  }

  announced(request: string): void {
    for (const [cell, coming] of this._coming) {
      if (coming === request) {
        this._coming.delete(cell);
      }
    }
  }

  /** Whether this page has run a cell, and the agent has not said so yet. */
  isComing(cell: string): boolean {
    return this._coming.has(cell);
  }

  /**
   * Whether this page has run a cell later than all that is in an answer to its question; the agent may
   * have announced it meanwhile.
   */
  isLater(cell: string, answered: ReadonlySet<string>): boolean {
    const latest = this._sinceAsked.get(cell);
    return this.isComing(cell) || (latest !== undefined && !answered.has(latest));
  }

  /** Both by cell. */
  private readonly _coming = new Map<string, string>();
  private readonly _sinceAsked = new Map<string, string>();
}
