import assert from 'node:assert/strict';
import { test } from 'node:test';

import { heldFetch } from '../lib/user/signInFetch.js';
import { SignIn } from '../lib/user/signIn.js';
import { learnXsrf } from '../lib/user/xsrfToken.js';

globalThis.document = { cookie: '_xsrf=new' };

const URL = 'http://lab.example/api';

/** A page of ann's on a server that answers whoever is signed in, and what it was sent. */
async function pageOfAnn() {
  const server = { user: 'ann', refused: 0, sent: [] };
  const signIn = new SignIn(async () => server.user);
  signIn.onRefused = () => (server.refused += 1);
  await signIn.start();
  const answer = async request => {
    server.sent.push({
      method: request.method,
      body: await request.text(),
      user: request.headers.get('X-Fleet-User'),
      xsrf: request.headers.get('X-XSRFToken')
    });
    return new Response(null, {
      status:
        server.user === null
          ? 403
          : server.user !== 'ann'
            ? 401
            : request.url.endsWith('forbidden')
              ? 403
              : 200
    });
  };
  return { server, signIn, fetch: heldFetch(answer, signIn) };
}

async function signInAgain(server, signIn) {
  server.user = 'ann';
  signIn.hurry();
  await signIn.whenIn();
}

test('each request says for whom the page was opened', async () => {
  const { server, fetch } = await pageOfAnn();
  await fetch(`${URL}/kernels`);
  assert.equal(server.sent[0].user, 'ann');
});

test('a refused request is sent again, whole, when the same person is back', async () => {
  const { server, signIn, fetch } = await pageOfAnn();
  server.user = 'bob';
  const init = { method: 'POST', body: '{"a": 1}', headers: { 'X-XSRFToken': 'old' } };
  const answer = fetch(`${URL}/sessions`, init);
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(signIn.state, 'other');
  assert.equal(server.refused, 1);
  await signInAgain(server, signIn);
  assert.equal((await answer).status, 200);
  assert.deepEqual(
    server.sent.map(sent => sent.body),
    ['{"a": 1}', '{"a": 1}']
  );
  assert.equal(server.sent[1].xsrf, 'new');
});

test('a request that had another token against forged requests is sent again, once', async () => {
  // Another fleet at the same host name has put its own token into the cookie.
  const signIn = new SignIn(async () => {
    learnXsrf(new Headers({ 'X-Fleet-XSRF': 'mine' }));
    return 'ann';
  });
  await signIn.start();
  learnXsrf(new Headers({ 'X-Fleet-XSRF': 'of an earlier login' }));
  const sent = [];
  const answer = async request => {
    sent.push([request.headers.get('X-XSRFToken'), await request.text()]);
    return new Response(null, { status: sent.at(-1)[0] === 'mine' ? 200 : 403 });
  };
  const fetch = heldFetch(answer, signIn);
  // JupyterLab has found no cookie.
  assert.equal((await fetch(`${URL}/sessions`, { method: 'POST', body: 'a' })).status, 200);
  assert.deepEqual(sent, [
    ['of an earlier login', 'a'],
    ['mine', 'a']
  ]);
  globalThis.document.cookie = "_xsrf=another fleet's";
  assert.equal((await fetch(`${URL}/sessions`, { method: 'POST', body: 'b' })).status, 200);
  assert.deepEqual(sent[2], ['mine', 'b']);
  const refusing = heldFetch(async request => {
    sent.push(request.method);
    return new Response(null, { status: 403 });
  }, signIn);
  assert.equal((await refusing(`${URL}/sessions`, { method: 'POST' })).status, 403);
  assert.deepEqual(sent.slice(3), ['POST'], 'a right is missing');
});

test('a save is refused at once', async () => {
  const { server, signIn, fetch } = await pageOfAnn();
  server.user = null;
  const answer = await fetch(`${URL}/contents/demo/a.ipynb`, { method: 'PUT', body: '{}' });
  assert.equal(answer.status, 401);
  assert.equal(server.refused, 1);
  await signInAgain(server, signIn);
});

test('while nobody is signed in nothing is asked in vain', async () => {
  const { server, signIn, fetch } = await pageOfAnn();
  server.user = null;
  await signIn.check();
  const answer = fetch(`${URL}/kernels`);
  await new Promise(resolve => setTimeout(resolve, 20));
  assert.equal(server.sent.length, 0);
  await signInAgain(server, signIn);
  assert.equal((await answer).status, 200);
});

test('a refusal that has another reason is passed on', async () => {
  const { server, fetch } = await pageOfAnn();
  assert.equal((await fetch(`${URL}/forbidden`)).status, 403);
  assert.equal(server.sent.length, 1);
});

test('a lab that is silent about a kernel does not make it dead', async () => {
  const { signIn } = await pageOfAnn();
  const fetch = heldFetch(async () => new Response('{}', { status: 504 }), signIn);
  assert.equal((await fetch(`${URL}/kernels/1`)).status, 503);
  assert.equal((await fetch(`${URL}/kernels/1/restart`, { method: 'POST' })).status, 504);
  assert.equal((await fetch(`${URL}/contents/demo/a`)).status, 504);
});
