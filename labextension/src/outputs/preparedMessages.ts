import type { KernelMessage } from '@jupyterlab/services';
import type { JSONObject } from '@lumino/coreutils';

import { isSameForAll } from './outputTypes.js';
import { type IPeople, readPeople } from './people.js';

type Message = KernelMessage.IMessage;

/** Where others may have put something into what a kernel says. */
export interface IPreparedBy {
  readonly kernel: string;
  /** The id of the kernel's journal, whose processes `people` counts; null if it has none. */
  readonly journal: string | null;
  /** Who had used the process that said it. */
  readonly people: IPeople;
}

/** Whether both are the same process of the same kernel: a new agent counts from 1 again. */
export function isSameProcess(one: IPreparedBy, other: IPreparedBy): boolean {
  return (
    one.kernel === other.kernel &&
    one.journal === other.journal &&
    one.people.process === other.people.process
  );
}

/** Under this key the metadata of an output name the kernel, until the output is in a cell. */
const KEY = 'jupyter-fleet.prepared';
/** A copy of a message (`{...message}`) keeps it. */
const MARK = Symbol('others may have put something into it');

/**
 * A message into which others may have put something: its outputs are not the user's own, whoever has
 * run the cell, and no comm hears of it.
 */
export function prepared(message: Message, by: IPreparedBy): Message {
  const marked = { ...withoutForged(message), [MARK]: true } as Message;
  const content = marked.content as JSONObject;
  switch (message.header.msg_type) {
    case 'display_data':
    case 'execute_result':
    case 'update_display_data': {
      const { data, metadata } = content;
      const isHarmless = Object.keys(asObject(data)).every(isSameForAll);
      return isHarmless
        ? marked
        : withContent(marked, { ...content, metadata: { ...asObject(metadata), [KEY]: by } });
    }
    case 'execute_reply':
      return withContent(marked, { ...content, payload: harmlessPages(content.payload) });
    default:
      return marked;
  }
}

/**
 * A message without what only pages may say of it. Code of users may have published anything, and JupyterLab
 * makes outputs of whole contents, those of streams and errors too.
 */
export function withoutForged(message: Message): Message {
  const content = message.content as JSONObject | undefined;
  if (!(KEY in asObject(content?.metadata))) {
    return message;
  }
  const metadata = { ...asObject(content?.metadata) };
  delete metadata[KEY];
  return withContent(message, { ...content, metadata });
}

/** Whether others may have put something into a message. */
export function isPrepared(message: Message): boolean {
  return MARK in message;
}

/** What the pages of a reply (`?`) say as text: JupyterLab makes outputs of them, without metadata. */
function harmlessPages(payload: unknown): unknown {
  if (!Array.isArray(payload)) {
    return payload;
  }
  return payload.map((page: JSONObject) => {
    const data = Object.entries(asObject(page?.data)).filter(([type]) => isSameForAll(type));
    return page?.source === 'page' ? { ...page, data: Object.fromEntries(data) } : page;
  });
}

function withContent(message: Message, content: object): Message {
  return { ...message, content };
}

function asObject(value: unknown): JSONObject {
  return typeof value === 'object' && value !== null ? (value as JSONObject) : {};
}

/** An output as JupyterLab may have it, and where others may have put something into it. */
export function unmarked(metadata: unknown): { metadata: JSONObject; by: IPreparedBy } | null {
  const { [KEY]: by, ...rest } = asObject(metadata);
  if (by === undefined) {
    return null;
  }
  // Code of users may have published anything.
  const { kernel, journal, people } = asObject(by);
  return {
    metadata: rest,
    by: {
      kernel: typeof kernel === 'string' ? kernel : '',
      journal: typeof journal === 'string' ? journal : null,
      people: readPeople(asObject(people))
    }
  };
}
