import type { ServerConnection } from '@jupyterlab/services';

import type { SignIn } from '../user/signIn.js';
import type { Leftovers } from './leftovers.js';
import type { Outcome } from './reconnecting.js';
import type { TrustedPeople } from './trustedPeople.js';

/** How things stand between this page and a kernel. */
export type StreamState =
  /** The kernel's agent has never answered yet. */
  | { readonly is: 'connecting' }
  | { readonly is: 'connected' }
  /**
   * Cut since a time (`steadyTime()`), and being tried again. `network`: no lab answers; `owner`: the
   * gateway that owns the kernel changes; `unreachable`: the servers say why, in `reason`.
   */
  | {
      readonly is: 'cut';
      readonly since: number;
      readonly why: 'network' | 'owner' | 'unreachable';
      readonly reason: string;
    }
  | { readonly is: 'signedOut' }
  | { readonly is: 'notAllowed'; readonly reason: string }
  /** The kernel does not exist any more, or JupyterLab has let it go: by the code of a websocket's end. */
  | {
      readonly is: 'ended';
      readonly code: number;
      readonly reason: string;
      /** The user who has shut the kernel down; null if nobody has, or it is not known. */
      readonly by: string | null;
    };

/** How things stand when the connection was cut at the time `now`; null if they stay as they were. */
export function stateAfterCut(
  before: StreamState,
  outcome: Outcome,
  reason: string,
  now: number
): StreamState | null {
  switch (outcome.then) {
    case 'signIn':
      return { is: 'signedOut' };
    case 'rights':
      return { is: 'notAllowed', reason };
    case 'again': {
      if (before.is === 'connecting' && outcome.why !== 'unreachable') {
        return null;
      }
      const since = before.is === 'cut' ? before.since : now;
      return { is: 'cut', since, why: outcome.why, reason };
    }
    default:
      return null;
  }
}

/** What the server says of a kernel. */
export interface IKernelAnswer {
  /** The HTTP status. */
  readonly status: number;
  /** The `execution_state`, if there is a model. */
  readonly state: string | null;
}

/** What all streams of a page share. */
export interface IStreamSettings {
  readonly signIn: SignIn;
  readonly serializer: ServerConnection.ISettings['serializer'];
  readonly leftovers: Leftovers;
  readonly trusted: TrustedPeople;
  /** The types of requests whose statuses JupyterLab ignores. */
  readonly untracked: readonly string[];
  /** Asks the server about the kernel whose model is at a URL; null if it does not answer. */
  readonly askModel: (url: string) => Promise<IKernelAnswer | null>;
}

/** What JupyterLab holds of a stream. */
export interface IStreamSocket {
  /** The subprotocols that JupyterLab offers. */
  readonly protocols: string | string[] | undefined;
  opened(protocol: string): void;
  /** A parsed message or, where that is not possible, the data. */
  deliver(data: unknown): void;
  closed(code: number, reason: string): void;
}
