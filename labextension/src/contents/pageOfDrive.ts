import type { Choice, IConflict } from './conflict.js';

/** The open document that is being saved, as far as the drive needs to know it. */
export interface IOpenDocument {
  /** Load the file as the server has it. */
  revert(): Promise<void>;
  /** Save the file as the page has it. */
  save(): Promise<void>;
  /** Whether it gets what its kernel says, also to other pages. */
  followsKernel(): boolean;
  /** Report that this save failed, for the display of the saving state. */
  saveEnded(): void;
  /** Note that this save ended, because of another one, without a word to the display. */
  saveDropped(): void;
  /** Where it is now: another page may have renamed it, and the server tells by its session. */
  currentPath(): Promise<string>;
}

/** The page around the drive: what the drive needs of it when a save was refused. */
export interface IPage {
  /** The document of this path and kind (see `kindOf`); null if none is open. */
  openDocument(path: string, kind: string): IOpenDocument | null;
  ask(path: string, conflict: IConflict, canRevert: boolean): Promise<Choice>;
  /** Why nothing can be created or saved at a path, in words for a person; null leaves it to the server. */
  whyNotCreate(path: string): string | null;
  /** Why what is at a path cannot be renamed, moved, deleted or restored; null leaves it to the server. */
  whyNotChange(path: string): string | null;
}
