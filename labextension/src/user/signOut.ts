import { PageConfig, URLExt } from '@jupyterlab/coreutils';

import { LOGIN_CHANNEL, SIGNED_OUT } from './loginChannel.js';
import { pageXsrf } from './xsrfToken.js';

/**
 * Leave the page and end the login on the server: only a request of our own page may do that.
 *
 * @param page - Gets `pagehide` when the server has done it, and the next page comes.
 */
export function signOut(document: Document, page: EventTarget): void {
  const tell = () => {
    const channel = new BroadcastChannel(LOGIN_CHANNEL);
    channel.postMessage(SIGNED_OUT);
    channel.close();
  };
  page.addEventListener('pagehide', tell, { once: true });
  const form = document.createElement('form');
  form.method = 'post';
  form.action = URLExt.join(PageConfig.getBaseUrl(), 'logout');
  form.hidden = true;
  const token = document.createElement('input');
  token.name = '_xsrf';
  token.value = pageXsrf(document.cookie) ?? '';
  form.append(token);
  document.body.append(form);
  form.submit();
}
