import { PageConfig, URLExt } from '@jupyterlab/coreutils';
import type { ServiceManagerPlugin } from '@jupyterlab/services';
import { Token } from '@lumino/coreutils';

import type { IUserModel } from './fleetUser.js';
import { LOGIN_CHANNEL, SIGNED_IN, SIGNED_OUT } from './loginChannel.js';
import { inFleet, learnRoles } from './pageUser.js';
import { SignIn } from './signIn.js';
import { learnXsrf } from './xsrfToken.js';

/** The login of this page; null on a server without the fleet. */
export const ISignIn = new Token<SignIn | null>(
  'jupyter-fleet:ISignIn',
  'Knows whether the person whom this page belongs to is signed in.'
);

export const signInPlugin: ServiceManagerPlugin<SignIn | null> = {
  id: 'jupyter-fleet:sign-in',
  description: 'Knows when the login of this page has ended and when it is back.',
  autoStart: true,
  provides: ISignIn,
  activate: () => {
    if (!inFleet()) {
      return null;
    }
    const signIn = new SignIn(whoAmI);
    const channel = new BroadcastChannel(LOGIN_CHANNEL);
    channel.onmessage = ({ data }) => {
      if (data === SIGNED_OUT) {
        signIn.signedOut();
      } else {
        signIn.hurry();
        void signIn.check();
      }
    };
    // Who opens a page may have signed in for it, and as another person.
    void signIn.start().then(() => channel.postMessage(SIGNED_IN));
    window.addEventListener('focus', () => signIn.hurry());
    document.addEventListener('visibilitychange', () => signIn.hurry());
    return signIn;
  }
};

/** Ask a server, bypassing the requests that wait for the login. */
async function whoAmI(): Promise<string | null | undefined> {
  const url = URLExt.join(PageConfig.getBaseUrl(), 'api/me');
  const answer = await fetch(url, {
    cache: 'no-store',
    credentials: 'same-origin'
  });
  learnXsrf(answer.headers);
  if (answer.status === 401 || answer.status === 403) {
    return null;
  }
  if (!answer.ok) {
    return undefined;
  }
  const { identity } = (await answer.json()) as { identity: IUserModel };
  learnRoles(identity);
  return identity.username;
}
