import assert from 'node:assert/strict';
import { test } from 'node:test';

import { textReason } from '../lib/outputs/textReason.js';
import { trans } from './trans.js';

const TYPE = 'application/vnd.plotly.v1+json';
const reason = (...users) => textReason(TYPE, { process: 1, users }, 'bob', trans);

test('an output of one’s own that is text says whom to trust, and with which button', () => {
  assert.match(reason('ann', 'bob'), /until you trust ann in this kernel \("Trust Them Until/);
  assert.match(reason('ann', 'eve'), /until you trust ann, eve in this kernel/);
  assert.match(reason(null), /until you trust whoever has used this kernel \("Trust Them Until/);
  assert.match(reason('ann', null), /until you trust whoever has used/);
});

test('an output of others says that its notebook must be trusted', () => {
  assert.match(textReason(TYPE, null, 'bob', trans), /only in a notebook that you ran or trust/);
});
