import assert from 'node:assert/strict';
import { test } from 'node:test';

import { frameAddress } from '../lib/outputs/frameAddress.js';

const PAGE = 'https://fleet.example/base/lab/tree/a.ipynb';

test('frames come from the host of the page unless they have one of their own', () => {
  assert.equal(frameAddress('/base/', '', PAGE), 'https://fleet.example/base/fleet/frame');
  assert.equal(
    frameAddress('https://fleet.example/', '', PAGE),
    'https://fleet.example/fleet/frame'
  );
  assert.equal(
    frameAddress('/base/', 'https://frames.example:8443', PAGE),
    'https://frames.example:8443/base/fleet/frame'
  );
});
