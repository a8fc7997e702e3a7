import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HeldVersions, kindOf, movedPath } from '../lib/contents/heldVersions.js';

test('a notebook opened as notebook and as text is held twice', () => {
  const held = new HeldVersions();
  const notebook = kindOf({ type: 'notebook', format: 'json' });
  const text = kindOf({ type: 'file', format: 'text' });
  held.set('demo/a.ipynb', notebook, 'v1');
  held.set('demo/a.ipynb', text, 'v2');
  assert.equal(held.get('demo/a.ipynb', notebook), 'v1');
  assert.equal(held.get('demo/a.ipynb', text), 'v2');
});

test('a notebook is of one kind, whether or not its format is named', () => {
  assert.equal(kindOf({ type: 'notebook' }), kindOf({ type: 'notebook', format: 'json' }));
  assert.notEqual(
    kindOf({ type: 'file', format: 'text' }),
    kindOf({ type: 'file', format: 'base64' })
  );
});

test('versions follow a renamed folder and leave its namesakes alone', () => {
  const held = new HeldVersions();
  held.set('demo/a/n.txt', 'file/text', 'v1');
  held.set('demo/ab/n.txt', 'file/text', 'v2');
  assert.deepEqual(held.rename('demo/a', 'demo/c'), [['demo/a/n.txt', 'demo/c/n.txt']]);
  assert.equal(held.get('demo/c/n.txt', 'file/text'), 'v1');
  assert.equal(held.has('demo/a/n.txt'), false);
  assert.equal(held.get('demo/ab/n.txt', 'file/text'), 'v2');
});

test('a deleted folder is forgotten with all that is below it', () => {
  const held = new HeldVersions();
  held.set('demo/a/n.txt', 'file/text', 'v1');
  held.set('demo/n.txt', 'file/text', 'v2');
  held.forget('demo/a');
  assert.equal(held.has('demo/a/n.txt'), false);
  assert.equal(held.has('demo/n.txt'), true);
});

test('paths move by whole names', () => {
  assert.equal(movedPath('a/b', 'a', 'z'), 'z/b');
  assert.equal(movedPath('a', 'a', 'z'), 'z');
  assert.equal(movedPath('ab', 'a', 'z'), null);
});
