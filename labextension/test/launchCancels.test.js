import assert from 'node:assert/strict';
import { test } from 'node:test';

import { launchCancels, whileLaunching } from '../lib/launches/launchCancels.js';

function page() {
  const sent = [];
  const fetch = launchCancels(async ({ method, url, headers }) => {
    sent.push(`${method} ${url} ${headers.get('X-XSRFToken')}`);
    return new Response(null, { status: 409 });
  });
  return { sent, fetch };
}

const init = { method: 'DELETE', headers: { 'X-XSRFToken': 'x' } };

for (const thing of ['kernels', 'sessions']) {
  test(`a person who cancels a launch ends none of the ${thing} that run already`, async () => {
    const { sent, fetch } = page();
    const url = `http://lab/base/api/${thing}/k-1`;
    let answer;
    await whileLaunching('k-1', async () => {
      answer = await fetch(`${url}?t=1`, init);
      await fetch(`${url}/restart`, { ...init, method: 'POST' });
      await fetch(`http://lab/base/api/${thing}/k-2`, init);
      await fetch('http://lab/base/api/contents/k-1', init);
    });
    assert.equal(answer.status, 409);
    // Whoever shuts it down afterwards means it.
    await fetch(url, init);
    assert.deepEqual(sent, [
      `DELETE ${url}?t=1&launching=1 x`,
      `POST ${url}/restart x`,
      `DELETE http://lab/base/api/${thing}/k-2 x`,
      'DELETE http://lab/base/api/contents/k-1 x',
      `DELETE ${url} x`
    ]);
  });
}

test('a cancel that the server refuses is told to whoever asked, and is over', async () => {
  const { sent, fetch } = page();
  const refused = new Error('it runs already');
  const canceled = whileLaunching('k-1', () => Promise.reject(refused));
  await assert.rejects(canceled, refused);
  await fetch('http://lab/api/kernels/k-1', init);
  assert.deepEqual(sent, ['DELETE http://lab/api/kernels/k-1 x']);
});
