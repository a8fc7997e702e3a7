import assert from 'node:assert/strict';
import { test } from 'node:test';

import { apartReason, failedReason, textReason } from '../lib/outputs/textReason.js';
import { trans } from './trans.js';

const TYPE = 'application/vnd.plotly.v1+json';
const reason = (...users) => textReason(TYPE, { process: 1, users }, 'bob', trans);

test('an output of one’s own that is text says whom to trust, and with which button', () => {
  assert.match(reason('ann', 'bob'), /until you trust ann in this kernel \("Trust Them Until/);
  assert.match(reason('ann', 'eve'), /until you trust ann, eve in this kernel/);
  assert.match(reason(null), /until you trust whoever has used this kernel \("Trust Them Until/);
  assert.match(reason('ann', null), /until you trust whoever has used/);
});

test('a widget is called so', () => {
  const widget = 'application/vnd.jupyter.widget-view+json';
  const people = { process: 1, users: ['ann'] };
  assert.match(
    textReason(widget, people, 'bob', trans),
    /text: this widget is not drawn until you/
  );
  assert.match(textReason(widget, null, 'bob', trans), /text: this widget is drawn only in a/);
});

test('an output of others says that its notebook must be trusted', () => {
  assert.match(textReason(TYPE, null, 'bob', trans), /only in a notebook that you ran or trust/);
});

test('an output that needs others says so, and what to do', () => {
  const apart = (...users) => apartReason({ process: 1, users }, 'bob', trans);
  assert.match(apartReason(null, 'bob', trans), /another output loads.*"Trust Notebook"/);
  assert.match(apart('ann', 'bob'), /until you trust ann in this kernel/);
  assert.match(apart(null, 'ann'), /until you trust whoever has used this kernel/);
});

test('a script that failed is quoted, and what may be missing is said', () => {
  const failed = (...users) =>
    failedReason('x is not defined', { process: 1, users }, 'bob', trans);
  assert.match(
    failedReason('x is not defined', null, 'bob', trans),
    /^A script of this output failed: "x is not defined"\. .*"Trust Notebook"/
  );
  assert.match(
    failed('ann', 'bob'),
    /failed: "x is not defined"\. .*until you trust ann in this kernel/
  );
  assert.match(failed(null, 'ann'), /failed: "x .* until you trust whoever has used this kernel/);
});
