import assert from 'node:assert/strict';
import { test } from 'node:test';

import { KernelStarts } from '../lib/kernels/kernelStarts.js';

/** A signal as far as the wait uses it. */
class Signal {
  slots = new Set();
  connect(slot) {
    this.slots.add(slot);
  }
  disconnect(slot) {
    this.slots.delete(slot);
  }
  emit(args) {
    for (const slot of [...this.slots]) {
      slot(this, args);
    }
  }
}

/** A session context before its first start. */
function context() {
  let resolve;
  const made = {
    isDisposed: false,
    session: null,
    hasNoKernel: true,
    ready: new Promise(done => (resolve = done)),
    kernelChanged: new Signal(),
    statusChanged: new Signal(),
    disposed: new Signal(),
    starts: 0,
    async startKernel() {
      made.starts += 1;
      made.begin();
      await new Promise(done => setTimeout(done, 5));
      made.end({});
      return false;
    },
    begin() {
      made.hasNoKernel = false;
      made.statusChanged.emit('starting');
    },
    end(kernel) {
      made.session = kernel && { kernel };
      made.hasNoKernel = kernel === null;
      made.kernelChanged.emit({});
      resolve();
    },
    getReady: () => resolve()
  };
  return made;
}

function choice() {
  const made = {
    open: new Set(),
    hadOne: new Set(),
    asked: 0,
    ended: new Signal(),
    isOpen: of => made.open.has(of),
    hasEnded: of => made.hadOne.has(of),
    async selectKernel(of) {
      made.asked += 1;
      made.end(of);
    },
    end(of) {
      made.open.delete(of);
      made.hadOne.add(of);
      made.ended.emit(of);
    }
  };
  return made;
}

/** How far kernels have come: each says so itself. */
function stages() {
  return {
    changed: new Signal(),
    stageOf: of => of.session.kernel.stage ?? { is: 'running' }
  };
}

const soon = () => new Promise(done => setTimeout(done, 2));

test('cells that are run before the first start wait for it, in order, and start nothing', async () => {
  const notebook = context();
  const starts = new KernelStarts(choice(), stages());
  const order = [];
  const cells = [1, 2, 3].map(cell =>
    starts.kernelFor(notebook).then(found => order.push([cell, found]))
  );
  await soon();
  notebook.begin();
  await soon();
  assert.deepEqual(order, []);
  notebook.end({});
  await Promise.all(cells);
  assert.deepEqual(order, [
    [1, true],
    [2, true],
    [3, true]
  ]);
  assert.equal(notebook.starts, 0);
});

test('a start that fails ends the wait of all cells without another one', async () => {
  const notebook = context();
  const starts = new KernelStarts(choice(), stages());
  notebook.begin();
  const cells = [1, 2, 3].map(() => starts.kernelFor(notebook));
  await soon();
  notebook.end(null);
  assert.deepEqual(await Promise.all(cells), [false, false, false]);
  assert.equal(notebook.starts, 0);
});

test('a choice that is canceled ends the wait, and asks nobody again', async () => {
  const notebook = context();
  const dialogs = choice();
  const starts = new KernelStarts(dialogs, stages());
  dialogs.open.add(notebook);
  const cells = [1, 2, 3].map(() => starts.kernelFor(notebook));
  await soon();
  dialogs.end(notebook);
  assert.deepEqual(await Promise.all(cells), [false, false, false]);
  assert.equal(notebook.starts + dialogs.asked, 0);
});

test('a choice that follows a failed start is waited for', async () => {
  const notebook = context();
  const dialogs = choice();
  const starts = new KernelStarts(dialogs, stages());
  notebook.begin();
  const cell = starts.kernelFor(notebook);
  await soon();
  notebook.end(null);
  await null;
  dialogs.open.add(notebook);
  await soon();
  notebook.end({});
  dialogs.end(notebook);
  assert.equal(await cell, true);
});

test('after a kernel was shut down, cells that are run together start one', async () => {
  const notebook = context();
  notebook.getReady();
  const starts = new KernelStarts(choice(), stages());
  const cells = [1, 2, 3].map(() => starts.kernelFor(notebook));
  assert.deepEqual(await Promise.all(cells), [true, true, true]);
  assert.equal(notebook.starts, 1);
});

test('after "No Kernel" was chosen, a cell that is run asks once more', async () => {
  const notebook = context();
  const dialogs = choice();
  dialogs.end(notebook);
  notebook.startKernel = async () => true;
  const starts = new KernelStarts(dialogs, stages());
  assert.equal(await starts.kernelFor(notebook), false);
  assert.equal(dialogs.asked, 1);
});

test('a notebook that was never asked for its first kernel is not waited for without end', async () => {
  const notebook = context();
  const starts = new KernelStarts(choice(), stages(), 5);
  assert.equal(await starts.kernelFor(notebook), true);
  assert.equal(notebook.starts, 1);
});

test('a notebook that is closed ends the wait', async () => {
  const notebook = context();
  const starts = new KernelStarts(choice(), stages());
  const cell = starts.kernelFor(notebook);
  await soon();
  notebook.isDisposed = true;
  notebook.disposed.emit();
  assert.equal(await cell, false);
});

test('cells wait while their kernel is launched, and run in order when it runs', async () => {
  const notebook = context();
  const kernel = { stage: { is: 'launching' } };
  notebook.end(kernel);
  const known = stages();
  const starts = new KernelStarts(choice(), known);
  const order = [];
  const cells = [1, 2].map(cell =>
    starts.kernelFor(notebook).then(found => order.push([cell, found]))
  );
  await soon();
  // One that is run later joins them, behind.
  cells.push(starts.kernelFor(notebook).then(found => order.push([3, found])));
  known.changed.emit('another kernel');
  await soon();
  assert.deepEqual(order, []);
  kernel.stage = { is: 'running' };
  known.changed.emit();
  await Promise.all(cells);
  assert.deepEqual(order, [
    [1, true],
    [2, true],
    [3, true]
  ]);
  assert.equal(notebook.starts, 0);
});

test('a launch that fails ends the wait, and so does one that a person cancels', async () => {
  for (const end of [
    notebook => (notebook.session.kernel.stage = { is: 'dead' }),
    notebook => (notebook.session = null)
  ]) {
    const notebook = context();
    notebook.end({ stage: { is: 'launching' } });
    const known = stages();
    const cell = new KernelStarts(choice(), known).kernelFor(notebook);
    await soon();
    end(notebook);
    known.changed.emit();
    assert.equal(await cell, false);
  }
});

test('cells go on waiting for the kernel that takes the place of one that was launched', async () => {
  const notebook = context();
  notebook.end({ stage: { is: 'launching' } });
  const cell = new KernelStarts(choice(), stages()).kernelFor(notebook);
  await soon();
  notebook.end({ stage: { is: 'launching' } });
  await soon();
  notebook.end({});
  assert.equal(await cell, true);
});
