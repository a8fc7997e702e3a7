import assert from 'node:assert/strict';
import { test } from 'node:test';

import { failureOf, isReady, linkOf, newHeight } from '../lib/outputs/frameMessages.js';

const NONSENSE = [null, undefined, 5, 'frame', [], {}, { height: null, open: null, fleet: 1 }];

test('a frame says when its page listens', () => {
  assert.equal(isReady({ fleet: 'frame' }), true);
  for (const said of NONSENSE) {
    assert.equal(isReady(said), false);
  }
});

test('a height is a number of pixels within bounds', () => {
  assert.equal(newHeight({ height: 300 }, 100), 300);
  assert.equal(newHeight({ height: 0 }, 100), 20);
  assert.equal(newHeight({ height: -5 }, 100), 20);
  assert.equal(newHeight({ height: 90_000 }, 100), 6000);
  for (const height of [NaN, Infinity, -Infinity, '300', [300], { valueOf: () => 300 }]) {
    assert.equal(newHeight({ height }, 100), null);
  }
  for (const said of NONSENSE) {
    assert.equal(newHeight(said, 100), null);
  }
});

test('a frame that is as high as it says gets no height, and so costs the page no picture', () => {
  assert.equal(newHeight({ height: 300 }, 300), null);
  assert.equal(newHeight({ height: 0 }, 20), null);
  assert.equal(newHeight({ height: 90_000 }, 6000), null);
  assert.equal(newHeight({ height: 300 }, 301), 300);
});

test('what a script says that failed is a short line, and closes no quotation', () => {
  assert.equal(
    failureOf({ failed: 'ReferenceError: x is not defined' }),
    'ReferenceError: x is not defined'
  );
  assert.equal(failureOf({ failed: ' a\n\u0000\u202E"b"\u2028c ' }), 'a b c');
  assert.equal(failureOf({ failed: 'y'.repeat(200) }), 'y'.repeat(200));
  assert.equal(failureOf({ failed: 'y'.repeat(1_000_000) }), `${'y'.repeat(200)}…`);
  assert.equal(failureOf({ failed: '' }), '');
  for (const said of [
    ...NONSENSE,
    { failed: 5 },
    { failed: ['x'] },
    { failed: { toString: () => 'x' } }
  ]) {
    assert.equal(failureOf(said), null);
  }
});

test('a link is opened if it leads to another host of the web', () => {
  const opened = open => linkOf({ open }, ['fleet.example.org', 'frames.example.org']);
  assert.equal(opened('https://example.com/a?b#c'), 'https://example.com/a?b#c');
  assert.equal(opened('http://example.com'), 'http://example.com/');
  assert.equal(opened('https://other.example.org/'), 'https://other.example.org/');
});

test('no link leads to a port of the own host, or runs a script', () => {
  for (const open of [
    'https://fleet.example.org/logout',
    'http://fleet.example.org:8888/',
    'https://FLEET.example.ORG/',
    'https://fleet.example.org./',
    'https://user:secret@fleet.example.org/',
    'javascript:alert(1)',
    'data:text/html,x',
    'blob:https://example.com/1',
    'file:///etc/passwd',
    '//example.com/',
    '/logout',
    ''
  ]) {
    assert.equal(linkOf({ open }, ['fleet.example.org', 'frames.example.org']), null, open);
  }
  for (const said of NONSENSE) {
    assert.equal(linkOf(said, ['fleet.example.org', 'frames.example.org']), null);
  }
});

test('loopback is one host by all names that the browser gives it', () => {
  for (const open of ['http://127.0.0.1:9/', 'http://127.1:9/', 'http://2130706433/']) {
    assert.equal(linkOf({ open }, ['127.0.0.1']), null, open);
  }
});
