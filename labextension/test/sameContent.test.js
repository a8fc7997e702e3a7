import assert from 'node:assert/strict';
import { test } from 'node:test';

import { sameContent } from '../lib/contents/sameContent.js';

const cell = (source, metadata = {}, outputs = []) => ({
  cell_type: 'code',
  execution_count: null,
  id: 'c1',
  metadata,
  outputs,
  source
});
const notebook = (...cells) => ({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 });

test('lists of lines and the trust of cells do not matter', () => {
  const sent = notebook(
    cell('a\nb', { trusted: true }, [{ name: 'stdout', output_type: 'stream', text: ['1\n', '2'] }])
  );
  const read = notebook(
    cell(['a\n', 'b'], {}, [{ text: '1\n2', output_type: 'stream', name: 'stdout' }])
  );
  assert.equal(sameContent(sent, read, 'notebook'), true);
});

test('a changed source, output or cell does', () => {
  assert.equal(sameContent(notebook(cell('a')), notebook(cell('b')), 'notebook'), false);
  assert.equal(sameContent(notebook(cell('a')), notebook(cell('a'), cell('a')), 'notebook'), false);
  assert.equal(
    sameContent(
      notebook(cell('a', {}, [{ data: { 'application/json': ['x', 'y'] } }])),
      notebook(cell('a', {}, [{ data: { 'application/json': ['xy'] } }])),
      'notebook'
    ),
    false
  );
});

test('only the trust in metadata is left out', () => {
  assert.equal(
    sameContent(
      notebook(cell('a', {}, [{ data: { 'application/json': { trusted: true } } }])),
      notebook(cell('a', {}, [{ data: { 'application/json': { trusted: false } } }])),
      'notebook'
    ),
    false
  );
});

test('text is compared as it is', () => {
  assert.equal(sameContent('a', 'a', 'file/text'), true);
  assert.equal(sameContent('a', 'a\n', 'file/text'), false);
});

test('widget state is the same whether or not it is hidden from the page', () => {
  const with_ = metadata => ({ ...notebook(cell('a')), metadata });
  const hidden = state => with_({ 'jupyter-fleet.untrusted-widgets': state, z: 1 });
  assert.equal(sameContent(hidden({ a: 1 }), with_({ widgets: { a: 1 }, z: 1 }), 'notebook'), true);
  assert.equal(
    sameContent(hidden({ a: 1 }), with_({ widgets: { a: 2 }, z: 1 }), 'notebook'),
    false
  );
});

test('how much of the journal a cell holds does not matter', () => {
  const held = number => notebook(cell('a', { jupyter_fleet: { request: 'r', number } }));
  assert.equal(sameContent(held(1), held(2), 'notebook'), true);
  assert.equal(sameContent(held(1), notebook(cell('a')), 'notebook'), true);
});
