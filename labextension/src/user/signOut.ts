import { PageConfig, URLExt } from '@jupyterlab/coreutils';

import { pageXsrf } from './xsrfToken.js';

/** Leave the page and end the login on the server: only a request of our own page may do that. */
export function signOut(document: Document): void {
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
