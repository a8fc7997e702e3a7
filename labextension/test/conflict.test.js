import assert from 'node:assert/strict';
import { test } from 'node:test';

import { readConflict } from '../lib/contents/conflict.js';

test('a refusal tells the version that is there, and who saved it when', () => {
  const body = { message: 'no', version: 'v2', last_modified: '2026-01-01', saved_by: 'bob' };
  assert.deepEqual(readConflict(body), {
    version: 'v2',
    last_modified: '2026-01-01',
    saved_by: 'bob'
  });
});

test('whoever saved a version, and when, may be unknown', () => {
  const nobody = { version: null, last_modified: null, saved_by: null };
  assert.deepEqual(readConflict({ version: null }), nobody);
  assert.deepEqual(readConflict({ version: 7, last_modified: 1, saved_by: '' }), {
    ...nobody,
    version: 7
  });
});

test('other refusals are no conflicts', () => {
  for (const body of [null, undefined, 'text', 7, {}, { message: 'no' }, { version: {} }]) {
    assert.equal(readConflict(body), null);
  }
});
