import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WaitingCells } from '../lib/launches/waitingCells.js';

function filled(...ids) {
  const waiting = new WaitingCells();
  const notebook = {};
  const canceled = [];
  const entries = ids.map(id =>
    waiting.add(notebook, {
      id,
      cancel() {
        canceled.push(id);
        entries[ids.indexOf(id)].dispose();
      }
    })
  );
  return { waiting, notebook, canceled, entries, ids: () => waiting.of(notebook).map(c => c.id) };
}

test('the cells of a notebook are kept in the order in which they were run', () => {
  const { waiting, ids, entries } = filled('a', 'b', 'c');
  assert.deepEqual(ids(), ['a', 'b', 'c']);
  entries[1].dispose();
  assert.deepEqual(ids(), ['a', 'c']);
  assert.deepEqual(waiting.of({}), []);
});

test('one cell or all of them are taken back', () => {
  const { waiting, notebook, canceled, ids } = filled('a', 'b', 'c');
  waiting.cancel(notebook, 'b');
  assert.deepEqual(canceled, ['b']);
  assert.deepEqual(ids(), ['a', 'c']);
  waiting.cancel({});
  assert.deepEqual(ids(), ['a', 'c']);
  waiting.cancel(notebook);
  assert.deepEqual(canceled, ['b', 'c', 'a']);
  assert.deepEqual(ids(), []);
});

test('whoever shows them hears of each change, with the notebook', () => {
  const { waiting, notebook, entries } = filled('a');
  const heard = [];
  waiting.changed.connect((_, of) => heard.push(of));
  entries[0].dispose();
  entries[0].dispose();
  assert.deepEqual(heard, [notebook]);
});
