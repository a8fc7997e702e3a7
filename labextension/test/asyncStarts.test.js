import assert from 'node:assert/strict';
import { test } from 'node:test';

import { asyncStarts, isStart } from '../lib/launches/asyncStarts.js';

test('only what may start a kernel asks for an answer at once', () => {
  for (const [method, path, expected] of [
    ['POST', '/api/sessions', true],
    ['POST', '/base/api/kernels', true],
    ['POST', '/api/kernels/k-1/restart', true],
    ['PATCH', '/api/sessions/s-1', true],
    ['GET', '/api/sessions', false],
    ['POST', '/api/kernels/k-1/interrupt', false],
    ['DELETE', '/api/sessions/s-1', false],
    ['PUT', '/api/contents/a.ipynb', false]
  ]) {
    assert.equal(isStart(method, path), expected, `${method} ${path}`);
  }
});

test('the header goes with the request, which is otherwise as it was', async () => {
  const sent = [];
  const fetch = asyncStarts(async request => {
    sent.push([request.headers.get('X-Fleet-Start'), request.method, await request.text()]);
    return new Response();
  });
  await fetch('http://lab/api/sessions', { method: 'POST', body: '{"path":"a"}' });
  await fetch('http://lab/api/sessions');
  assert.deepEqual(sent, [
    ['async', 'POST', '{"path":"a"}'],
    [null, 'GET', '']
  ]);
});
