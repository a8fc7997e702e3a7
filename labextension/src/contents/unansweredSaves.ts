import { ServerConnection } from '@jupyterlab/services';

import { steadyTime } from '../page/steadyTime.js';

/** For how long a document's saves may go unanswered before a person hears of it. */
const PATIENCE_MS = 10_000;
/** After this time a save that nobody answered is made again. */
export const AGAIN_MS = 1_000;
/** Of so many saves of a document the content is kept: more than are made again in that time. */
const MOST_SENT = 16;

interface IUnanswered {
  /** When the first of those was not answered that no person has heard of. */
  since: number | null;
  readonly sent: unknown[];
}

/** Whether nobody has told what became of a save: the network, the front or the lab was gone. */
export function isUnanswered(error: unknown): boolean {
  return (
    error instanceof ServerConnection.NetworkError ||
    (error instanceof ServerConnection.ResponseError &&
      [502, 503, 504].includes(error.response.status))
  );
}

/**
 * The saves of each document that nobody has answered since one was. The server may have carried out
 * one of them, and then has a version that this page does not know to be its own.
 */
export class UnansweredSaves {
  /**
   * One more save of a document was not answered.
   *
   * @returns whether to make it again before a person hears of it.
   */
  add(document: string, content: unknown): boolean {
    const now = steadyTime();
    const unanswered = this._documents.get(document) ?? { since: null, sent: [] };
    this._documents.set(document, unanswered);
    unanswered.since ??= now;
    if (unanswered.sent.length < MOST_SENT) {
      unanswered.sent.push(content);
    }
    if (now - unanswered.since < PATIENCE_MS) {
      return true;
    }
    // The next save is made again for as long.
    unanswered.since = null;
    return false;
  }

  /** Whether the server has a version of a document from one of these saves. */
  has(document: string, isContent: (sent: unknown) => boolean): boolean {
    return this._documents.get(document)?.sent.some(isContent) ?? false;
  }

  /** A save of the document was answered. */
  answered(document: string): void {
    this._documents.delete(document);
  }

  private readonly _documents = new Map<string, IUnanswered>();
}
