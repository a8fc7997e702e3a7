import assert from 'node:assert/strict';
import { test } from 'node:test';

import { headingSanitizer } from '../lib/outputs/headingSanitizer.js';

/** What JupyterLab's sanitizer is asked to leave. */
function asked(options) {
  let seen;
  const stock = {
    allowNamedProperties: true,
    getAutolink: () => false,
    sanitize: (dirty, given) => {
      seen = given;
      return dirty;
    }
  };
  const sanitizer = headingSanitizer(stock);
  assert.equal(sanitizer.sanitize('<h1>x</h1>', options), '<h1>x</h1>');
  return { seen, sanitizer };
}

test('headings stay, and nothing that a browser loads', () => {
  const { seen } = asked({ allowedTags: ['img'] });
  assert.ok(['h1', 'h6', 'code'].every(tag => seen.allowedTags.includes(tag)));
  for (const tag of ['img', 'svg', 'video', 'audio', 'source', 'picture', 'iframe', 'object']) {
    assert.ok(!seen.allowedTags.includes(tag), tag);
  }
});

test('no style stays', () => {
  assert.deepEqual(asked().seen.allowedStyles, { '*': {} });
});

test('in what JupyterLab asks of it, it is like its own', () => {
  const { sanitizer } = asked();
  assert.equal(sanitizer.allowNamedProperties, true);
  assert.equal(sanitizer.getAutolink(), false);
});
