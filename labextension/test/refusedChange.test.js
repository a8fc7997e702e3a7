import assert from 'node:assert/strict';
import { test } from 'node:test';

import { changeOrRemember, takeRefused } from '../lib/kernels/refusedChange.js';

const scala = { name: 'scala', launch_options: { memory: '2Gi' } };
const error = new Error('no gateway answers');
const refuse = () => Promise.reject(error);

test('a kernel that the server refused is the one to ask for again, with its options', async () => {
  const [one, other] = [{}, {}];
  await assert.rejects(changeOrRemember(one, scala, refuse), error);
  await assert.rejects(changeOrRemember(other, { name: 'r' }, refuse), error);
  assert.deepEqual(takeRefused(one), scala);
  // What is refused after that is something else.
  assert.equal(takeRefused(one), null);
  assert.deepEqual(takeRefused(other), { name: 'r' });
});

test('a document that has got another kernel asks for none', async () => {
  const context = {};
  await assert.rejects(changeOrRemember(context, scala, refuse), error);
  const kernel = { id: 'k' };
  assert.equal(await changeOrRemember(context, { name: 'r' }, async () => kernel), kernel);
  assert.equal(takeRefused(context), null);
});
