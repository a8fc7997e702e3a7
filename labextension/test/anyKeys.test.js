import assert from 'node:assert/strict';
import { test } from 'node:test';

import { YNotebook } from '@jupyter/ydoc';

import { acceptAnyKeys } from '../lib/contents/anyKeys.js';

/** A notebook as another user may save it. */
const hostile = JSON.parse(`{
  "nbformat": 4,
  "nbformat_minor": 5,
  "metadata": {"own": {"constructor": "x"}, "constructor": {"constructor": 1}},
  "cells": [{
    "id": "a",
    "cell_type": "code",
    "source": "1",
    "execution_count": 1,
    "metadata": {"toString": {"constructor": null}, "trusted": false},
    "outputs": [{
      "output_type": "execute_result",
      "execution_count": 1,
      "metadata": {"constructor": {"width": 1}},
      "data": {"text/plain": "1", "constructor": "x", "toString": "x", "hasOwnProperty": "x"}
    }]
  }]
}`);

/** A shared notebook that goes with the test: it has a timer. */
function sharedNotebook(t) {
  const notebook = new YNotebook();
  t.after(() => notebook.dispose());
  return notebook;
}

test('a notebook with any keys in its data is opened, and nothing of it is lost', t => {
  const before = sharedNotebook(t);
  assert.throws(() => before.fromJSON(hostile), /Unexpected content type/);
  acceptAnyKeys(before.ymeta);
  const notebook = sharedNotebook(t);
  notebook.fromJSON(JSON.parse(JSON.stringify(hostile)));
  assert.deepEqual(notebook.toJSON(), hostile);
  // As a kernel sends it.
  const [output] = hostile.cells[0].outputs;
  notebook.getCell(0).setOutputs([output, output]);
  assert.deepEqual(notebook.toJSON().cells[0].outputs, [output, output]);
  // What is no JSON is still what it is.
  assert.throws(() => notebook.ymeta.set('metadata', new (class Other {})()), /Unexpected/);
});

test('a prototype that JSON brings keeps no notebook from opening', t => {
  const text = JSON.stringify(hostile).replaceAll('"constructor"', '"__proto__"');
  const notebook = sharedNotebook(t);
  notebook.fromJSON(
    JSON.parse(text.replaceAll('{"__proto__":1}', '{"__proto__":{"constructor":1}}'))
  );
  assert.equal(notebook.toJSON().cells[0].outputs[0].data['text/plain'], '1');
});
