import assert from 'node:assert/strict';
import { test } from 'node:test';

import { holesOf, missingText } from '../lib/stream/missingMessages.js';
import { trans } from './trans.js';

const record = (request, first, last) => ({ request, first, last });
const holes = (records, missing) => Object.fromEntries(holesOf(records, missing));

test('each request gets the holes between its first and last message', () => {
  assert.deepEqual(
    holes(
      [record('a', 1, 10), record('b', 11, 20)],
      [
        [8, 13],
        [15, 15]
      ]
    ),
    {
      a: [{ count: 3, last: 10 }],
      b: [
        { count: 3, last: 13 },
        { count: 1, last: 15 }
      ]
    }
  );
});

test('of two requests a number counts for the one that began last', () => {
  // A later cell has changed a display of the first one.
  assert.deepEqual(holes([record('a', 1, 30), record('b', 11, 20)], [[9, 25]]), {
    a: [
      { count: 2, last: 10 },
      { count: 5, last: 25 }
    ],
    b: [{ count: 10, last: 20 }]
  });
});

test('requests that have said nothing have no holes', () => {
  assert.deepEqual(holes([record('a', 0, 0)], [[1, 5]]), {});
  assert.deepEqual(holes([record('a', 1, 9)], []), {});
});

test('the text says how much is missing', () => {
  assert.equal(
    missingText(1, null, trans),
    "[… 1 message is missing here: the kernel's journal no longer has what it said …]"
  );
  assert.equal(
    missingText(12_345, 1_016_000_000, trans),
    "[… 12,345 messages are missing here: the kernel's journal keeps 1,016 MB …]"
  );
});
