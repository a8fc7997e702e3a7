import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';

import { ServerConnection, SessionAPI } from '@jupyterlab/services';

import { hasOwn, ownStarts } from '../lib/launches/ownStarts.js';

/** Method, path and body of what the server was asked. */
let requests;
/** Who has the kernel of the answer alone. */
let person;
let status;
let message;
let settings;

beforeEach(() => {
  requests = [];
  person = undefined;
  status = null;
  message = 'no';
  const fetch = async request => {
    const { pathname } = new URL(request.url);
    requests.push([request.method, pathname, JSON.parse((await request.text()) || 'null')]);
    const kernel = { id: 'k', name: 'lossless', only_for: person };
    const session = { id: 's', path: 'demo/a.ipynb', name: 'a.ipynb', type: 'notebook', kernel };
    const fine = request.method === 'POST' ? 201 : 200;
    return status === null
      ? Response.json(session, { status: fine })
      : Response.json({ message }, { status });
  };
  settings = ServerConnection.makeSettings({
    baseUrl: 'http://lab/',
    fetch: ownStarts(fetch, () => 'ann')
  });
});

const document = { path: 'demo/a.ipynb', name: 'a.ipynb', type: 'notebook' };
const start = only_for_me =>
  SessionAPI.startSession(
    { ...document, kernel: { name: 'lossless', launch_options: { only_for_me } } },
    settings
  );
const change = only_for_me =>
  SessionAPI.updateSession(
    { id: 's', kernel: { name: 'lossless', launch_options: { only_for_me } } },
    settings
  );

test('a kernel of all is not taken for the one that a person has asked for alone', async () => {
  for (const ask of [start, change]) {
    for (const other of [undefined, null, 'bob']) {
      person = other;
      await assert.rejects(ask(true), error => {
        assert.match(error.message, /cannot start a kernel only for you.*Try again in a minute/);
        // The form about launch options asks again what is answered with 400.
        return error.response.status === 503;
      });
    }
  }
  // Nothing was ended.
  assert.deepEqual(new Set(requests.map(([method]) => method)), new Set(['POST', 'PATCH']));
});

test('who asked for a kernel alone and has it goes on with it', async () => {
  person = 'ann';
  for (const ask of [start, change]) {
    assert.equal((await ask(true)).kernel.id, 'k');
  }
  const [[, , body], [, , patch]] = requests;
  assert.equal(body.kernel.launch_options.only_for_me, true);
  // A lab of the version before makes no session in such a project.
  assert.equal(body.path, '@demo/a.ipynb');
  assert.equal(patch.path, undefined);
});

test('who does not ask for a kernel alone gets what the server says', async () => {
  for (const one of [undefined, 'ann']) {
    person = one;
    for (const only of [false, undefined]) {
      assert.equal((await start(only)).kernel.id, 'k');
      assert.equal((await change(only)).kernel.id, 'k');
    }
  }
  const { id } = await SessionAPI.startSession(document, settings);
  assert.equal(id, 's');
});

test('a lab that knows no kernels of one person is asked again later', async () => {
  status = 400;
  message = "'@demo' is not a project name: use up to 63 lower-case letters";
  await assert.rejects(start(true), error => {
    assert.match(error.message, /cannot start a kernel only for you/);
    return error.response.status === 503;
  });
});

test('what the server refuses itself is told in its words', async () => {
  status = 400;
  await assert.rejects(start(true), { message: 'no' });
});

test('a page that does not know its user leaves it to the server who that is', () => {
  assert.equal(hasOwn({ kernel: { only_for: 'ann' } }, null), true);
  assert.equal(hasOwn({ kernel: { only_for: null } }, null), false);
  assert.equal(hasOwn({ kernel: null }, 'ann'), false);
});
