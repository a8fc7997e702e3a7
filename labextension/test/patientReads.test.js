import assert from 'node:assert/strict';
import { test } from 'node:test';

import { patientReads } from '../lib/user/patientReads.js';

const FILE = 'http://lab/api/contents/demo/a.ipynb';
const noLab = () => new Response('{}', { status: 503, headers: { 'Retry-After': '1' } });

/** A fetch that gives these answers, the last one for ever, and a clock that waiting moves. */
function world(...answers) {
  const asked = [];
  let time = 0;
  const fetch = patientReads(
    async request => {
      asked.push(await request.text());
      return (answers.length > 1 ? answers.shift() : answers[0])();
    },
    {
      now: () => time,
      wait: async ms => {
        time += ms;
      }
    }
  );
  return { fetch, asked, time: () => time };
}

test('a file that is opened while no lab answers is read when one does', async () => {
  const { fetch, asked } = world(noLab, noLab, () => new Response('here'));
  assert.equal(await (await fetch(FILE)).text(), 'here');
  assert.equal(asked.length, 3);
});

test('a file that has come is held once, and the answer is as it was', async () => {
  const answer = () => {
    const response = new Response('gone', {
      status: 404,
      statusText: 'Not here',
      headers: { 'Last-Modified': 'today' }
    });
    response.clone = () => assert.fail('that is a second copy');
    return response;
  };
  const { fetch, asked } = world(answer);
  const response = await fetch(FILE);
  assert.equal(await response.text(), 'gone');
  assert.deepEqual([response.status, response.statusText], [404, 'Not here']);
  assert.equal(response.headers.get('Last-Modified'), 'today');
  assert.equal(asked.length, 1);
  const nothing = world(() => new Response(null, { status: 304 }));
  assert.equal((await nothing.fetch(FILE)).status, 304);
});

/** The server goes: before it has answered, or before all of its answer has come. */
const refused = () => Promise.reject(new TypeError('Failed to fetch'));
const halfAnAnswer = () =>
  new Response(
    new ReadableStream({
      start: stream => stream.enqueue(new TextEncoder().encode('{"content": ')),
      pull: stream => stream.error(new TypeError('Failed to fetch'))
    })
  );

test('a file is read again from a server that was away or went while it answered', async () => {
  const { fetch, asked } = world(refused, halfAnAnswer, refused, () => new Response('here'));
  assert.equal(await (await fetch(FILE)).text(), 'here');
  assert.equal(asked.length, 4);
});

test('a server that stays away is an error in the end', async () => {
  for (const answer of [refused, halfAnAnswer]) {
    const { fetch, time } = world(answer);
    await assert.rejects(fetch(FILE), /Failed to fetch/);
    assert.ok(time() >= 30_000 && time() < 40_000, `${time()}`);
  }
});

test('what nobody waits for any more is not asked again', async () => {
  const abort = new AbortController();
  const { fetch, asked } = world(() => {
    abort.abort();
    return Promise.reject(abort.signal.reason);
  });
  await assert.rejects(fetch(FILE, { signal: abort.signal }), { name: 'AbortError' });
  assert.equal(asked.length, 1);
});

test('what changes something fails at once where no server is', async () => {
  const { fetch, asked } = world(refused);
  await assert.rejects(fetch(FILE, { method: 'PUT', body: 'new' }), /Failed to fetch/);
  assert.equal(asked.length, 1);
});

test('settings and layouts wait as well; what is asked again anyway does not', async () => {
  for (const [path, times] of [
    ['lab/api/settings', 2],
    ['lab/api/workspaces/default', 2],
    ['api/sessions', 1],
    ['api/kernels/k', 1]
  ]) {
    const { fetch, asked } = world(noLab, () => new Response('here'));
    await fetch(`http://lab/${path}`);
    assert.equal(asked.length, times, path);
  }
});

test('a page waits for what it is made of while labs are silent, and longer than for a file', async () => {
  const silent = () => new Response('{}', { status: 504 });
  for (const away of [silent, noLab, refused]) {
    const { fetch, time } = world(...Array(100).fill(away), () => new Response('here'));
    assert.equal(await (await fetch('http://lab/lab/api/settings')).text(), 'here');
    assert.ok(time() > 60_000, `${time()}`);
  }
  const { fetch, time } = world(silent);
  assert.equal((await fetch('http://lab/lab/api/translations/en')).status, 504);
  assert.ok(time() >= 600_000 && time() < 610_000, `${time()}`);
});

test('it says so when no lab has come for long', async () => {
  const { fetch, time } = world(noLab);
  assert.equal((await fetch(FILE)).status, 503);
  assert.ok(time() >= 30_000 && time() < 40_000, `${time()}`);
});

test('what changes something is sent once', async () => {
  const { fetch, asked } = world(noLab);
  const init = { method: 'PUT', body: 'new' };
  assert.equal((await fetch(FILE, init)).status, 503);
  assert.deepEqual(asked, ['new']);
});

test('other refusals are shown at once', async () => {
  for (const status of [404, 500, 503, 504]) {
    const { fetch, asked } = world(() => new Response('{}', { status }));
    assert.equal((await fetch(FILE)).status, status);
    assert.equal(asked.length, 1);
  }
});
