/** Numbers of the journal from, and up to and including, in ascending order. */
export type Runs = readonly (readonly [number, number])[];

/** One `execute_request`, as the kernel's agent remembers it; see docs/protocols.md. */
export interface IRecord {
  /** The `msg_id` of the request. */
  readonly request: string;
  /** The id of the cell that it runs; null if it runs none. */
  readonly cell: string | null;
  /** The session that sent it. */
  readonly session: string;
  /** The SHA-256 of its code, in hexadecimal; null if that is longer than 1 MB. */
  readonly source: string | null;
  /** When it was sent, ISO 8601. */
  readonly sent: string | null;
  /** Which of the kernel's processes has it: 1, 2, … */
  readonly process: number;
  readonly state: 'queued' | 'running' | 'done';
  readonly count: number | null;
  /** The numbers of its first message on iopub and of its last one; 0 if there is none yet. */
  readonly first: number;
  readonly last: number;
  readonly reply: string | null;
  /** The number of the `input_request` that waits for an answer. */
  readonly asks: number | null;
  /** The session that gets its replies and questions as well. */
  readonly adopted: string | null;
}

/** The record of a cell's latest request, beside what the page has said that the cell holds. */
export interface IIndexed extends IRecord {
  /** Whether the page has all of it; it is done or running. */
  readonly held: boolean;
  /** Whether the page has not named the cell. */
  readonly gone: boolean;
}

/** What a cell of the page holds: the request that filled it, and up to which number. */
export interface IHeld {
  readonly request: string;
  readonly number: number;
  /** The journal of that number, if it is known. */
  readonly journal?: string;
  /** When the request was sent, ISO 8601, if it is known. */
  readonly sent?: string;
  /** The start of the SHA-256 of the code that it ran, in hexadecimal, if it is known. */
  readonly source?: string;
}
