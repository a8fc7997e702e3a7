import type { Choice } from './conflict.js';
import { movedPath } from './heldVersions.js';
import { namedError } from '../page/namedError.js';

/** Ask the user what to do with a save; anything but 'overwrite' gives it up. */
export type Ask = (question: () => Promise<Choice>) => Promise<Choice>;

/** The saves of one document (one path and kind) that have not ended. */
interface ISaves {
  readonly path: string;
  /** Resolves when the last of them has ended, well or badly. */
  end: Promise<void>;
  /** Whether a person is being asked about one of them. */
  asking: boolean;
  /** How often the user gave one of them up. */
  discards: number;
}

/**
 * The saves of each document, one after the other: each must name the version that the one before
 * it made.
 */
export class SaveQueue {
  /**
   * Run a save when the earlier ones of its document have ended; `save` asks people by its argument.
   *
   * @throws ModalDuplicateError while a person is asked about the document, and for each save that
   * had to wait while they gave it up: it holds what they decided not to save.
   */
  async run<T>(path: string, kind: string, save: (ask: Ask) => Promise<T>): Promise<T> {
    const document = `${kind}:${path}`;
    const saves = this._saves.get(document) ?? {
      path,
      end: Promise.resolve(),
      asking: false,
      discards: 0
    };
    if (saves.asking) {
      throw namedError('ModalDuplicateError', 'Modal is already displayed');
    }
    const { discards } = saves;
    const turn = saves.end.then(() => {
      if (saves.discards !== discards) {
        throw namedError('ModalDuplicateError', 'The save was canceled');
      }
      return save(question => decide(saves, question));
    });
    const end = turn.then(
      () => undefined,
      () => undefined
    );
    saves.end = end;
    this._saves.set(document, saves);
    void end.then(() => {
      if (saves.end === end) {
        this._saves.delete(document);
      }
    });
    return turn;
  }

  /** Wait for the saves of what is at or below a path. */
  async ended(path: string): Promise<void> {
    const below = [...this._saves.values()].filter(
      saves => movedPath(saves.path, path, path) !== null
    );
    await Promise.all(below.map(saves => saves.end));
  }

  private readonly _saves = new Map<string, ISaves>();
}

async function decide(saves: ISaves, question: () => Promise<Choice>): Promise<Choice> {
  saves.asking = true;
  try {
    const choice = await question();
    if (choice !== 'overwrite') {
      saves.discards += 1;
    }
    return choice;
  } finally {
    saves.asking = false;
  }
}
