import assert from 'node:assert/strict';
import { test } from 'node:test';

import { signOut } from '../lib/user/signOut.js';
import { learnXsrf, pageXsrf, xsrfToken } from '../lib/user/xsrfToken.js';

test('the last token against forged requests in the cookies of a page counts', () => {
  assert.equal(xsrfToken('a=b; _xsrf=one; c=d'), 'one');
  assert.equal(xsrfToken('_xsrf=one; _xsrf=two'), 'two');
  assert.equal(xsrfToken('x_xsrf=one'), null);
  assert.equal(xsrfToken(''), null);
});

test('a person is signed out by a form that a link cannot send, and other tabs hear of it', async () => {
  const made = [];
  const page = {
    cookie: '_xsrf=mine',
    createElement: kind => {
      const element = { kind, parts: [], append: part => element.parts.push(part), sent: 0 };
      element.submit = () => (element.sent += 1);
      made.push(element);
      return element;
    },
    body: { append: () => undefined }
  };
  const other = new BroadcastChannel('jupyter-fleet-login');
  const heard = new Promise(resolve => (other.onmessage = ({ data }) => resolve(data)));
  const view = new EventTarget();
  signOut(page, view);
  const [form, token] = made;
  assert.equal(form.method, 'post');
  assert.match(form.action, /logout$/);
  assert.deepEqual(form.parts, [token]);
  assert.deepEqual([token.name, token.value], ['_xsrf', 'mine']);
  assert.equal(form.sent, 1);
  view.dispatchEvent(new Event('pagehide'));
  assert.equal(await heard, 'signed out');
  other.close();
});

test('what a lab has told counts more than a cookie, which other ports may set', () => {
  assert.equal(pageXsrf('_xsrf=one'), 'one');
  learnXsrf(new Headers({ 'X-Fleet-XSRF': 'mine' }));
  learnXsrf(new Headers());
  assert.equal(pageXsrf('_xsrf=one'), 'mine');
});
