import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  HoleEnds,
  holesBehind,
  holesOf,
  missingText,
  takeHoles
} from '../lib/stream/missingMessages.js';
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

test('who has everything up to a number lacks only what is behind it', () => {
  const some = [
    { count: 3, last: 5 },
    { count: 4, last: 12 },
    { count: 2, last: 20 }
  ];
  assert.deepEqual(holesBehind(some, 0), some);
  assert.deepEqual(holesBehind(some, 5), some.slice(1));
  assert.deepEqual(holesBehind(some, 10), [{ count: 2, last: 12 }, some[2]]);
  assert.deepEqual(holesBehind(some, 20), []);
});

test('what is missing before a number is taken at once', () => {
  const left = [
    { count: 3, last: 5 },
    { count: 4, last: 12 },
    { count: 2, last: 20 }
  ];
  assert.deepEqual([takeHoles(left, 5), takeHoles(left, 13), takeHoles(left, 14)], [0, 7, 0]);
  assert.deepEqual(left, [{ count: 2, last: 20 }]);
});

test('each hole ends before one of the numbers that follow', () => {
  const ends = new HoleEnds([
    [1, 3],
    [6, 6],
    [8, 9]
  ]);
  assert.deepEqual(
    [4, 5, 7, 10, 11].filter(number => ends.isPassed(number)),
    [4, 7, 10]
  );
  assert.ok(!new HoleEnds([]).isPassed(1));
});

test('numbers that turn out to be missing later end before one of those that follow, too', () => {
  const ends = new HoleEnds([
    [1, 3],
    [20, 22]
  ]);
  assert.deepEqual([ends.isPassed(4), ends.isPassed(5)], [true, false]);
  ends.add([
    [6, 7],
    [10, 12]
  ]);
  assert.deepEqual(
    [8, 9, 13, 19, 23].filter(number => ends.isPassed(number)),
    [8, 13, 23]
  );
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
  assert.equal(
    missingText(2, 65_536, trans),
    "[… 2 messages are missing here: the kernel's journal keeps 66 KB …]"
  );
});
