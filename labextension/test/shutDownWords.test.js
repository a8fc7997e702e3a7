import assert from 'node:assert/strict';
import { test } from 'node:test';

import { shutDownWords } from '../lib/kernels/shutDownWords.js';
import { trans } from './trans.js';

test('whoever shuts down their kernels reads which of them go on, and why', () => {
  assert.match(shutDownWords(1, [], trans), /^Shut down your kernel\?.* other people go on\.$/);
  assert.match(
    shutDownWords(2, ['plot.ipynb (demo)'], trans),
    /^Shut down your 2 kernels\?.* Your kernel of plot\.ipynb \(demo\) goes on, because other pages/
  );
  const kept = shutDownWords(0, ['a.ipynb (demo)', 'b.ipynb (demo)'], trans);
  assert.match(kept, /^Your kernels of a\.ipynb \(demo\), b\.ipynb \(demo\) go on/);
  assert.equal(shutDownWords(0, [], trans), 'None of these kernels is yours.');
});
