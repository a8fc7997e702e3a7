import assert from 'node:assert/strict';
import { test } from 'node:test';

import { FirstKernels } from '../lib/kernels/firstKernels.js';

function context(path) {
  const slots = [];
  return {
    path,
    isDisposed: false,
    disposed: { connect: slot => slots.push(slot) },
    dispose() {
      this.isDisposed = true;
      slots.forEach(slot => slot());
    }
  };
}

/** Whether a promise is fulfilled, once all that can happen has happened. */
async function isOver(promise) {
  let over = false;
  void promise.then(() => (over = true));
  await new Promise(done => setTimeout(done, 0));
  return over;
}

test('a console waits until its notebook has a kernel or will get none', async () => {
  const kernels = new FirstKernels();
  const notebook = context('demo/a.ipynb');
  kernels.opened(notebook);
  const waits = kernels.before(context('demo/a.ipynb'));
  assert.equal(await isOver(waits), false);
  assert.equal(await isOver(kernels.before(context('demo/b.ipynb'))), true);
  kernels.settled(notebook);
  assert.equal(await isOver(waits), true);
  // A second view of the same notebook opens nothing.
  kernels.opened(notebook);
  assert.equal(await isOver(kernels.before(context('demo/a.ipynb'))), true);
});

test('a notebook that is closed before it was read ends the wait', async () => {
  const kernels = new FirstKernels();
  const notebook = context('demo/a.ipynb');
  kernels.opened(notebook);
  const waits = kernels.before(context('demo/a.ipynb'));
  notebook.dispose();
  assert.equal(await isOver(waits), true);
});

test('of two documents at one path only the later one waits', async () => {
  const kernels = new FirstKernels();
  const [first, second] = [context('demo/a.ipynb'), context('demo/a.ipynb')];
  kernels.opened(first);
  kernels.opened(second);
  assert.equal(await isOver(kernels.before(first)), true);
  const waits = kernels.before(second);
  assert.equal(await isOver(waits), false);
  kernels.settled(first);
  assert.equal(await isOver(waits), true);
});
