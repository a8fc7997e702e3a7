import type { IRecord } from './record.js';

/** The kernel's process that ended last, of 1, 2, …, and why. */
export interface IEndedProcess {
  readonly process: number;
  readonly reason: string;
  /** The user who has had it ended; null if nobody has, absent from agents of the version before. */
  readonly by?: string | null;
  /** Whether this page has had it ended: the person before it knows. */
  readonly isOwn?: boolean;
}

/** Whether the kernel was restarted, before this page was there or later, and has run nothing since. */
export class EarlierProcess {
  /** @param changed - Called when `lost` has changed. */
  constructor(private readonly _changed: () => void) {}

  /** The process whose variables are gone; null if none are, or something was run since. */
  get lost(): IEndedProcess | null {
    return this._lost;
  }

  /** Take what an answer says of it; agents of the version before say nothing. */
  told(lost: IEndedProcess | null | undefined): void {
    this._lost = lost ?? null;
    this._changed();
  }

  /** This page asks for a restart. */
  asked(): void {
    this._isOwn = true;
  }

  /** Take what the agent says after a restart. */
  restarted(lost: IEndedProcess | null): void {
    this.told(lost && { ...lost, isOwn: this._isOwn });
    this._isOwn = false;
  }

  /** A request has come to the kernel, or one has gone on. */
  heard({ process }: Pick<IRecord, 'process'>): void {
    if (this._lost && process > this._lost.process) {
      this.told(null);
    }
  }

  private _lost: IEndedProcess | null = null;
  private _isOwn = false;
}
