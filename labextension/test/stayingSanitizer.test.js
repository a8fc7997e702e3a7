import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';

import { staying, stayingSanitizer } from '../lib/outputs/stayingSanitizer.js';

// Those that JupyterLab uses.
const stock = createRequire(import.meta.resolve('@jupyterlab/apputils'));

test('links of others have no target of their own', () => {
  assert.equal(
    staying('<a href="https://x.test/?a&gt;b" target="_top" rel="nofollow">x</a>'),
    '<a href="https://x.test/?a&gt;b" rel="nofollow">x</a>'
  );
  assert.equal(staying('<p>the text target="_top"</p>'), '<p>the text target="_top"</p>');
});

test('a value that looks like a target does not end its tag', () => {
  const html = '<a title=" target=">"" style=animation-name:x onanimationstart=run() x=</a>';
  assert.equal(staying(html), html);
});

test('a target is found behind values that look like one', () => {
  assert.equal(
    staying('<a title=" target=" TARGET="_top" class="c">x</a>'),
    '<a title=" target=" class="c">x</a>'
  );
});

test('no link runs a command of JupyterLab', () => {
  const button =
    '<button data-commandlinker-command="notebook:run-all-cells" ' +
    'DATA-CommandLinker-args="{}" class="c" title=" data-commandlinker-command=">x</button>';
  assert.equal(
    staying(button),
    '<button class="c" title=" data-commandlinker-command=">x</button>'
  );
});

test('what is no tag is text', () => {
  assert.equal(staying('1 < 2 <a "><b class=x>'), '1 &lt; 2 &lt;a ">&lt;b class=x>');
});

test('no attribute is added to what a sanitizer has written', () => {
  const sanitize = stock('sanitize-html');
  const { Parser } = stock('htmlparser2');
  const allowed = {
    allowedTags: ['a', 'area', 'b', 'form', 'p'],
    allowedAttributes: {
      '*': ['alt', 'class', 'title', 'target', 'href', 'data-commandlinker-args']
    }
  };
  const pieces = [
    ...[
      '<a ',
      '<area ',
      '<form ',
      '<b ',
      '</a>',
      '</form>',
      '<',
      '>',
      '/>',
      '"',
      "'",
      '=',
      ' ',
      '&quot;',
      '&lt;'
    ],
    ...[
      'title=',
      'target=',
      ' target="',
      'class="',
      "alt='",
      'data-commandlinker-args=',
      'onclick=run()',
      'x',
      '&gt;',
      '\n',
      '<!--',
      '-->',
      '`'
    ]
  ];
  let seed = 14;
  const chosen = () => pieces[(seed = (seed * 1103515245 + 12345) % 2 ** 31) % pieces.length];
  let links = 0;
  for (let round = 0; round < 5000; round++) {
    const clean = staying(sanitize(Array.from({ length: 24 }, chosen).join(''), allowed));
    const parser = new Parser({
      onopentag: (tag, attributes) => {
        links += tag === 'a' ? 1 : 0;
        const { rel, target, ...others } = attributes;
        assert.ok(allowed.allowedTags.includes(tag) || tag === 'div', clean);
        assert.notEqual(tag, 'form', clean);
        assert.deepEqual(
          [rel, target],
          tag === 'area' ? ['noopener', '_blank'] : [undefined, tag === 'a' ? undefined : target],
          clean
        );
        for (const name of Object.keys(others)) {
          assert.ok(['alt', 'class', 'title', 'href'].includes(name), clean);
        }
      }
    });
    parser.end(clean);
  }
  assert.ok(links > 100);
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
  const ofPage = {
    allowNamedProperties: true,
    allowCommandLinker: true,
    sanitize: (dirty, options) => `${dirty}<form>${options.x}</form>`
  };
  const sanitizer = stayingSanitizer(ofPage);
  assert.equal(sanitizer.sanitize('<b>', { x: 1 }), '<b><div>1</div>');
  assert.equal(sanitizer.getAutolink(), true);
  assert.equal(sanitizer.allowNamedProperties, true);
  assert.equal(sanitizer.allowCommandLinker, false);
});
