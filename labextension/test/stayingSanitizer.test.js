import assert from 'node:assert/strict';
import { test } from 'node:test';

import { staying, stayingSanitizer } from '../lib/outputs/stayingSanitizer.js';

test('links of others have no target of their own', () => {
  assert.equal(
    staying('<a href="https://x.test/?a&gt;b" target="_top" rel="nofollow">x</a>'),
    '<a href="https://x.test/?a&gt;b" rel="nofollow">x</a>'
  );
  assert.equal(staying('<p>the text target="_top"</p>'), '<p>the text target="_top"</p>');
});

test('areas of pictures open a tab', () => {
  assert.equal(
    staying('<area href="https://x.test" target="_top" />'),
    '<area target="_blank" rel="noopener" href="https://x.test" />'
  );
});

test('there are no forms', () => {
  assert.equal(
    staying('<form class="c"><button>x</button></form>'),
    '<div><button>x</button></div>'
  );
});

test('the sanitizer of the page comes first', () => {
  const stock = {
    allowNamedProperties: true,
    allowCommandLinker: false,
    sanitize: (dirty, options) => `${dirty}<form>${options.x}</form>`
  };
  const sanitizer = stayingSanitizer(stock);
  assert.equal(sanitizer.sanitize('<b>', { x: 1 }), '<b><div>1</div>');
  assert.equal(sanitizer.getAutolink(), true);
  assert.equal(sanitizer.allowNamedProperties, true);
  assert.equal(sanitizer.allowCommandLinker, false);
});
