import assert from 'node:assert/strict';
import { test } from 'node:test';

import { typeToDraw, wayToDraw, withheldType } from '../lib/outputs/outputTypes.js';

/** JupyterLab's order, the best first. */
const TYPES = [
  'application/vnd.jupyter.widget-view+json',
  'application/vnd.vegalite.v5+json',
  'text/vnd.mermaid',
  'text/html',
  'text/markdown',
  'image/svg+xml',
  'image/png',
  'application/javascript',
  'text/plain',
  'application/pdf'
];

const drawn = (...types) => typeToDraw(TYPES, Object.fromEntries(types.map(type => [type, 'x'])));

test('what can hold a script is framed', () => {
  for (const type of ['text/html', 'image/svg+xml', 'application/javascript', 'text/javascript']) {
    assert.equal(wayToDraw(type), 'framed');
  }
});

test('a type that nobody has named is text, whatever it is called', () => {
  for (const type of [
    'application/vnd.vega.v5+json',
    'application/vnd.vegalite.v5+json',
    'text/vnd.mermaid',
    'application/x.some+json',
    'image/x',
    'Text/HTML',
    'text/html; charset=utf-8',
    'constructor',
    ''
  ]) {
    assert.equal(wayToDraw(type), 'text');
  }
});

test('the best type is drawn that is shown or framed', () => {
  assert.equal(drawn('text/plain', 'text/html'), 'text/html');
  assert.equal(drawn('text/plain', 'image/png', 'image/svg+xml'), 'image/svg+xml');
  assert.equal(drawn('application/vnd.vegalite.v5+json', 'text/plain'), 'text/plain');
  assert.equal(drawn('application/javascript', 'text/plain'), 'application/javascript');
});

test('where there is nothing else, a refused type says so', () => {
  assert.equal(drawn('text/vnd.mermaid'), 'text/vnd.mermaid');
});

test('a widget or a PDF is never chosen, and an unknown type cannot be drawn', () => {
  assert.equal(drawn('application/vnd.jupyter.widget-view+json', 'text/plain'), 'text/plain');
  assert.equal(drawn('application/vnd.jupyter.widget-view+json'), undefined);
  assert.equal(drawn('application/pdf'), undefined);
  assert.equal(drawn('application/x.unknown'), undefined);
  assert.equal(drawn(), undefined);
});

test('what is drawn as its text although there is more says what that is', () => {
  const withheld = (...types) =>
    withheldType(TYPES, Object.fromEntries(types.map(type => [type, 'x'])));
  const widget = 'application/vnd.jupyter.widget-view+json';
  assert.equal(withheld('text/plain', widget), widget);
  assert.equal(withheld('text/plain', 'text/vnd.mermaid'), 'text/vnd.mermaid');
  // A frame or a picture shows it, or nobody could draw more.
  assert.equal(withheld('text/plain', 'text/html', widget), undefined);
  assert.equal(withheld('text/plain', 'application/x.unknown'), undefined);
  assert.equal(withheld('text/plain'), undefined);
  assert.equal(withheld('text/plain', 'application/pdf'), undefined);
});
