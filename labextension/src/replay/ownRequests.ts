/** The requests of this page that the kernel's agent has not announced yet: they come after all that it has. */
export class OwnRequests {
  sent(request: string, cell: string): void {
    this._coming.set(request, cell);
  }

  announced(request: string): void {
    this._coming.delete(request);
  }

  /** Whether this page has run a cell, and the agent has not said so yet. */
  isComing(cell: string): boolean {
    return [...this._coming.values()].includes(cell);
  }

  private readonly _coming = new Map<string, string>();
}
