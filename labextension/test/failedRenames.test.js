import assert from 'node:assert/strict';
import { test } from 'node:test';

import { isOfRename, rememberFailure } from '../lib/contents/failedRenames.js';

test('the error of a rename is known wherever it ends up', async () => {
  const error = new Error('demo/b.ipynb already exists');
  await assert.rejects(rememberFailure(Promise.reject(error)), error);
  assert.ok(isOfRename(error));
  assert.ok(!isOfRename(new Error('demo/b.ipynb already exists')));
  assert.ok(!isOfRename(undefined));
  assert.equal(await rememberFailure(Promise.resolve('model')), 'model');
});
