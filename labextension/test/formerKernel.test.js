import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  missedKernel,
  NO_PAST,
  pastAfterChange,
  pastAtStage
} from '../lib/launches/formerKernel.js';

const python = { id: 'p', name: 'python3' };
const scala = { id: 's', name: 'scala' };
const spark = { id: 'k', name: 'spark' };
const running = { is: 'running' };
const launching = { is: 'launching', launch: { phase: 'pulling' } };
const failed = { is: 'dead', reason: 'no such image', whileLaunching: true };

test('a kernel that ran is kept while the next one starts, and is back if that fails', () => {
  const during = pastAfterChange(NO_PAST, python, running, scala);
  assert.deepEqual(during, { former: 'p', missed: null });
  for (const stage of [failed, launching, { is: 'unknown' }]) {
    assert.deepEqual(pastAfterChange(during, scala, stage, python), {
      former: null,
      missed: scala
    });
  }
});

test('the first of several kernels is the one that is kept', () => {
  const during = pastAfterChange(NO_PAST, python, running, scala);
  for (const stage of [launching, failed]) {
    const then = pastAfterChange(during, scala, stage, spark);
    assert.deepEqual(then, { former: 'p', missed: null });
    assert.deepEqual(pastAfterChange(then, spark, failed, python).missed, spark);
  }
});

test('a kernel that never ran, or has ended, is not kept', () => {
  assert.deepEqual(pastAfterChange(NO_PAST, scala, launching, python), NO_PAST);
  assert.deepEqual(pastAfterChange(NO_PAST, scala, failed, python), NO_PAST);
  assert.deepEqual(pastAfterChange(NO_PAST, null, { is: 'unknown' }, python), NO_PAST);
  const during = pastAfterChange(NO_PAST, python, running, scala);
  assert.deepEqual(pastAfterChange(during, scala, launching, null), NO_PAST);
});

test('the kernel that is kept is known while the next one starts or fails, and gone when it runs', () => {
  const during = { former: 'p', missed: null };
  assert.deepEqual(pastAtStage(NO_PAST, launching, 'p'), during);
  assert.deepEqual(pastAtStage(NO_PAST, failed, 'p'), during);
  assert.deepEqual(pastAtStage(during, running, 'p'), NO_PAST);
  assert.deepEqual(pastAtStage(during, { is: 'unknown' }, null), during);
});

test('when the kernel that was kept ends, it is the one to start again', () => {
  const back = { former: null, missed: scala };
  assert.deepEqual(pastAtStage(back, running, null), back);
  const ended = { is: 'dead', reason: 'out of memory', whileLaunching: false };
  assert.deepEqual(pastAtStage(back, ended, null), NO_PAST);
});

test('a kernel that did not come is told with its reason, or that it was canceled', () => {
  assert.deepEqual(missedKernel('Scala', failed, false), {
    title: 'Scala',
    reason: 'no such image'
  });
  assert.deepEqual(missedKernel('Scala', failed, true), { title: 'Scala', reason: null });
  assert.equal(missedKernel('Scala', launching, false), null);
});
