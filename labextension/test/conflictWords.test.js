import assert from 'node:assert/strict';
import { test } from 'node:test';

import { conflictWords } from '../lib/contents/conflictWords.js';
import { trans } from './trans.js';

const words = (saved_by, me, rest = {}) =>
  conflictWords(
    'demo/a',
    { version: 'v2', last_modified: null, saved_by, ...rest },
    true,
    me,
    trans
  );

test('a version of another person is told to be theirs', () => {
  assert.match(words('ann', 'bob'), /^"demo\/a" was saved by ann at an unknown time, after/);
  assert.match(words('ann', null), /was saved by ann /);
  assert.match(words(null, 'bob'), /was saved by someone else /);
  assert.match(words(null, null), /was saved by someone else /);
});

test("a version of one's own is told to be from elsewhere", () => {
  const told = words('ann', 'ann', { last_modified: '2026-01-01T00:00:00Z' });
  assert.match(told, /^You saved "demo\/a" elsewhere, for example in another tab, at .*2026/);
  assert.doesNotMatch(told, /by ann/);
  assert.match(
    told,
    /Your changes in this page are not saved\. Revert drops .* Overwrite replaces/
  );
});

test('a file that is gone has nobody who saved it, and nothing to revert to', () => {
  const told = words(null, 'ann', { version: null });
  assert.match(told, /was deleted or moved .*"Create Again"/);
  assert.doesNotMatch(told, /Revert/);
});
