import { PageConfig } from '@jupyterlab/coreutils';
import { ServerConnection, ServiceManagerPlugin } from '@jupyterlab/services';
import { UUID } from '@lumino/coreutils';

import { tabStorage } from '../page/tabStorage.js';
import { pageUser } from '../user/pageUser.js';
import type { SignIn } from '../user/signIn.js';
import { Fetch, heldFetch } from '../user/signInFetch.js';
import { ISignIn } from '../user/signInPlugin.js';
import { Leftovers } from './leftovers.js';
import { AskingPages, ILivingPages, LockingPages } from './livingPages.js';
import { IStreams, Streams } from './streams.js';
import type { IKernelAnswer } from './streamState.js';
import { TrustedPeople } from './trustedPeople.js';

/** A server that does not answer in this time cannot say why it refused a websocket. */
const ANSWER_MS = 5_000;

export const streamsPlugin: ServiceManagerPlugin<Streams | null> = {
  id: 'jupyter-fleet:streams',
  description: 'What this page and its kernels say to each other outlives connections.',
  autoStart: true,
  provides: IStreams,
  requires: [ISignIn],
  activate: (_: null, signIn: SignIn | null) => {
    if (!signIn) {
      return null;
    }
    const stock = ServerConnection.makeSettings();
    const fetch = heldFetch((input, init) => stock.fetch.call(null, input, init), signIn);
    const streams = new Streams({
      signIn,
      serializer: stock.serializer,
      trusted: new TrustedPeople(tabStorage(), pageUser()?.username ?? null),
      leftovers: new Leftovers(tabStorage(), () => signIn.user, livingPages()),
      untracked: JSON.parse(PageConfig.getOption('untracked_message_types') || '[]') as string[],
      askModel: asker(fetch)
    });
    for (const type of ['online', 'focus', 'pageshow']) {
      window.addEventListener(type, () => streams.retryNow());
    }
    document.addEventListener('visibilitychange', () => streams.retryNow());
    return streams;
  }
};

/** Browsers have locks only for pages that come by https, or from this computer. */
function livingPages(): ILivingPages {
  return 'locks' in navigator
    ? new LockingPages(navigator.locks)
    : new AskingPages(new BroadcastChannel('jupyter-fleet:streams'), UUID.uuid4());
}

function asker(fetch: Fetch): (url: string) => Promise<IKernelAnswer | null> {
  return async url => {
    try {
      const signal = AbortSignal.timeout(ANSWER_MS);
      const response = await fetch(url, { cache: 'no-store', signal });
      const model = response.ok ? ((await response.json()) as { execution_state: string }) : null;
      return { status: response.status, state: model?.execution_state ?? null };
    } catch {
      return null;
    }
  };
}
