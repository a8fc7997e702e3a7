import type { IEnd } from './leftovers.js';

/** What a page has of a kernel's journal. */
export interface ICursor {
  readonly journal: string;
  readonly received: number;
}

/**
 * The URL at which one end of a stream connects; see docs/protocols.md.
 *
 * @param socketUrl - JupyterLab's, of the kernel's websocket.
 * @param cursor - Null: the end has nothing of the journal.
 */
export function streamUrl(socketUrl: string, end: IEnd, cursor: ICursor | null): string {
  const url = new URL(socketUrl);
  url.searchParams.set('session_id', end.sessionId);
  url.searchParams.set('stream', end.nonce);
  url.searchParams.set('cursor', '1');
  if (cursor) {
    url.searchParams.set('received', String(cursor.received));
    url.searchParams.set('journal', cursor.journal);
  }
  return url.href;
}

/** The URL of the model of the kernel that a websocket is for. */
export function modelUrl(socketUrl: string): string {
  const url = new URL(socketUrl);
  url.protocol = url.protocol.replace('ws', 'http');
  url.pathname = url.pathname.replace(/\/channels$/, '');
  url.search = '';
  return url.href;
}

/** Websockets cannot have headers, so the query names the page's user. */
export function withUser(url: string, user: string | null): string {
  if (user === null) {
    return url;
  }
  const sign = url.includes('?') ? '&' : '?';
  return `${url}${sign}fleet_user=${encodeURIComponent(user)}`;
}
