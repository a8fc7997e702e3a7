/**
 * The requests of this page that the kernel's agent has not announced yet, of each cell the latest one:
 * they come after all that the agent has.
 */
export class OwnRequests {
  sent(request: string, cell: string): void {
    this._coming.set(cell, request);
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

  /** By cell. */
  private readonly _coming = new Map<string, string>();
}
