import assert from 'node:assert/strict';
import { test } from 'node:test';

import { countLines, write } from '../lib/outputs/terminalLine.js';

/** What JupyterLab's outputs make of a text, one character at a time. */
function shown(pieces) {
  let text = '';
  let at = 0;
  for (const piece of pieces) {
    for (const character of piece) {
      if (character === '\n') {
        text += '\n';
        at = text.length;
      } else if (character === '\r') {
        at = text.lastIndexOf('\n', at - 1) + 1;
        if (at === 0 || text[at - 1] === '\n') {
          continue;
        }
      } else if (character === '\b') {
        if (at > 0 && text[at - 1] !== '\n') {
          text = text.slice(0, at - 1) + text.slice(at + 1);
          at -= 1;
        }
      } else {
        text = text.slice(0, at) + character + text.slice(at + 1);
        at += 1;
      }
    }
  }
  return text;
}

/** Feed pieces through `write`; what it keeps, and what its outputs add up to. */
function written(pieces) {
  let line = { text: '', cursor: 0 };
  let kept = '';
  const outputs = [];
  for (const piece of pieces) {
    const result = write(line, piece);
    kept += result.done;
    line = result.line;
    outputs.push(result.output);
  }
  return { text: kept + line.text, outputs };
}

test('a progress bar that is drawn a thousand times comes out as its last state', () => {
  const piece = Array.from({ length: 1000 }, (_, i) => `\r${i} of 1000`).join('');
  const { output, line } = write({ text: '', cursor: 0 }, piece);
  assert.equal(line.text, '999 of 1000');
  assert.ok(output.length < 30, output);
});

test('plain text passes as it is', () => {
  assert.deepEqual(write({ text: 'ab', cursor: 2 }, 'c\nd'), {
    done: 'abc\n',
    line: { text: 'd', cursor: 1 },
    output: 'c\nd'
  });
});

test('what comes out draws the same as what went in', () => {
  const alphabet = ['a', 'bc', '\r', '\n', '\b', 'defg', '\r\n', ' '];
  let seed = 7;
  const random = limit => (seed = (seed * 48271) % 2147483647) % limit;
  for (let round = 0; round < 3000; round += 1) {
    const pieces = Array.from({ length: 1 + random(5) }, () =>
      Array.from({ length: random(8) }, () => alphabet[random(alphabet.length)]).join('')
    );
    const { text, outputs } = written(pieces);
    assert.equal(text, shown(pieces), JSON.stringify(pieces));
    assert.equal(shown(outputs), shown(pieces), JSON.stringify({ pieces, outputs }));
  }
});

test('lines are counted', () => {
  assert.equal(countLines('a\nb\n\nc'), 3);
});
