import assert from 'node:assert/strict';
import { test } from 'node:test';

import { kernelFor } from '../lib/kernels/kernelName.js';

const FLEET = {
  python: { language: 'python' },
  python_kubernetes: { language: 'python' },
  ir: { language: 'R' }
};

test('a known name stays', () => {
  assert.equal(kernelFor('python_kubernetes', 'python', FLEET, 'python'), null);
  assert.equal(kernelFor('', 'python', FLEET, 'python'), null);
});

test('a name of Python from elsewhere is our Python, also without a saved language', () => {
  for (const name of ['python3', 'python3.12', 'Python', 'conda-env-work-py', 'conda-base-py']) {
    assert.equal(kernelFor(name, undefined, FLEET, 'python'), 'python');
  }
  assert.equal(kernelFor('my-project', 'python', FLEET, 'python'), 'python');
});

test('a name that says nothing, or of a language that we have not, is left to the person', () => {
  assert.equal(kernelFor('my-project', undefined, FLEET, 'python'), null);
  assert.equal(kernelFor('julia-1.10', 'julia', FLEET, 'python'), null);
});

test('the only kernelspec of a language is taken, one of several only if it is the default', () => {
  assert.equal(kernelFor('ir4', 'R', FLEET, 'python'), 'ir');
  assert.equal(kernelFor('python3', 'python', FLEET, 'ir'), null);
});
