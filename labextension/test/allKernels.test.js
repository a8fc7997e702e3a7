import assert from 'node:assert/strict';
import { test } from 'node:test';

import { allKernels } from '../lib/launches/allKernels.js';

test('the list of kernels, and nothing else, has those that others have alone', async () => {
  const asked = [];
  const fetch = allKernels(async request => asked.push(`${request.method} ${request.url}`));
  await fetch('http://lab/base/api/kernels?17');
  await fetch('http://lab/base/api/kernels/k-1');
  await fetch('http://lab/base/api/kernels', { method: 'POST', body: '{}' });
  await fetch('http://lab/base/api/sessions');
  assert.deepEqual(asked, [
    'GET http://lab/base/api/kernels?17=&personal=all',
    'GET http://lab/base/api/kernels/k-1',
    'POST http://lab/base/api/kernels',
    'GET http://lab/base/api/sessions'
  ]);
});
