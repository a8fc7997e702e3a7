import assert from 'node:assert/strict';
import { test } from 'node:test';

import { choicesOf, enteredOptions, fieldOfRefusal, textOf } from '../lib/launches/optionEntry.js';
import { keyOf, optionFields } from '../lib/launches/optionFields.js';
import { flattened } from '../lib/launches/optionSchema.js';
import { optionLines } from '../lib/launches/optionWords.js';
import { trans } from './trans.js';

const SCHEMA = {
  type: 'object',
  required: ['image'],
  properties: {
    image: { type: 'string', enum: ['small:1', 'big:1'] },
    cpus: { type: 'number', minimum: 0.5, maximum: 8, description: 'Cores.' },
    memory: { type: 'string', title: 'RAM', maxLength: 8 },
    resources: {
      type: 'object',
      properties: { 'nvidia.com/gpu': { type: 'integer', minimum: 0, maximum: 4 } },
      additionalProperties: false
    },
    environment: { type: 'object', additionalProperties: { type: 'string' } },
    node_pool: { type: 'array', items: { type: 'string' } },
    tolerations: { type: 'array', items: { type: 'object' } },
    spark: {
      type: 'object',
      properties: { dynamic: { type: 'boolean' } },
      additionalProperties: { type: 'string' }
    }
  }
};
const fields = (schema = SCHEMA, defaults = {}) => optionFields(schema, defaults, trans);
const entered = (texts, of = fields()) =>
  enteredOptions(of, new Map(Object.entries({ image: '"small:1"', ...texts })), trans);

test('each option has a field of its kind, with its label and limits', () => {
  assert.deepEqual(
    fields().map(field => [keyOf(field), field.label, field.kind, field.help]),
    [
      ['image', 'Image', 'choice', ''],
      ['cpus', 'CPUs', 'number', 'Cores. 0.5 to 8.'],
      ['memory', 'RAM', 'text', 'At most 8 characters.'],
      ['resources/nvidia.com/gpu', 'Resources: nvidia.com/gpu', 'integer', '0 to 4.'],
      ['environment', 'Environment', 'pairs', ''],
      ['node_pool', 'Node pool', 'lines', ''],
      ['tolerations', 'Tolerations', 'json', ''],
      ['spark/dynamic', 'Spark: dynamic', 'choice', ''],
      ['spark', 'Spark', 'pairs', '']
    ]
  );
});

test('what an operator narrows is what a person sees', () => {
  const narrow = {
    allOf: [
      SCHEMA,
      {
        properties: {
          image: { enum: ['small:1', 'other:1'] },
          cpus: { maximum: 2 },
          memory: false,
          resources: { properties: { 'nvidia.com/gpu': { maximum: 1 } } }
        }
      }
    ]
  };
  const found = new Map(fields(narrow).map(field => [keyOf(field), field]));
  assert.deepEqual(found.get('image').choices, ['small:1']);
  assert.equal(found.get('image').required, true);
  assert.equal(found.get('cpus').help, 'Cores. 0.5 to 2.');
  assert.equal(found.get('resources/nvidia.com/gpu').help, '0 to 1.');
  assert.equal(found.has('memory'), false);
  // The same where each property is narrowed by itself.
  const each = { properties: { cpus: { allOf: [{ type: 'integer', maximum: 8 }, { const: 4 }] } } };
  assert.deepEqual(flattened(each).properties.cpus.enum, [4]);
});

test('what is entered becomes options, and what is empty is left out', () => {
  const { options, errors } = entered({
    cpus: '1.5',
    memory: ' ',
    'resources/nvidia.com/gpu': '2',
    environment: 'A=1\n\nB = x=y',
    node_pool: 'one\ntwo',
    tolerations: '[{"key": "spot"}]',
    'spark/dynamic': 'true',
    spark: 'spark.x=1'
  });
  assert.deepEqual([...errors], []);
  assert.deepEqual(options, {
    image: 'small:1',
    cpus: 1.5,
    resources: { 'nvidia.com/gpu': 2 },
    environment: { A: '1', B: 'x=y' },
    node_pool: ['one', 'two'],
    tolerations: [{ key: 'spot' }],
    spark: { dynamic: true, 'spark.x': '1' }
  });
});

test('options fill the fields as they were entered', () => {
  const options = entered({
    cpus: '2',
    environment: 'A=1\nB=2',
    node_pool: 'one',
    tolerations: '[{"key":"spot"}]',
    'resources/nvidia.com/gpu': '1',
    'spark/dynamic': 'false',
    spark: 'spark.x=1'
  }).options;
  const texts = Object.fromEntries(fields().map(field => [keyOf(field), textOf(field, options)]));
  assert.deepEqual(entered(texts).options, options);
  assert.equal(texts.memory, '');
  // What an older choice had and the field cannot show is left out.
  assert.equal(textOf(fields()[1], { cpus: { a: 1 } }), '');
});

test('what a person can see without the server is found at its field', () => {
  const wrong = texts => Object.fromEntries(entered(texts).errors);
  assert.deepEqual(wrong({ image: '' }), { image: 'This is needed.' });
  assert.deepEqual(wrong({ cpus: '9' }), { cpus: '0.5 to 8.' });
  assert.deepEqual(wrong({ cpus: 'many' }), { cpus: 'Enter a number.' });
  assert.deepEqual(wrong({ 'resources/nvidia.com/gpu': '1.5' }), {
    'resources/nvidia.com/gpu': 'Enter a whole number.'
  });
  assert.deepEqual(wrong({ memory: 'as much as there is' }), { memory: 'At most 8 characters.' });
  assert.deepEqual(wrong({ environment: 'A' }), { environment: 'Enter NAME=VALUE, not "A".' });
  assert.deepEqual(wrong({ tolerations: '[' }), {
    tolerations:
      'This is not valid JSON. Write for example ' +
      '[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]'
  });
  // A default of the kernelspec is enough.
  assert.deepEqual([...entered({ image: '' }, fields(SCHEMA, { image: 'big:1' })).errors], []);
});

test('a refusal of the server is shown at the field that it names', () => {
  const at = message => {
    const field = fieldOfRefusal(message, fields());
    return field && keyOf(field);
  };
  assert.equal(at('launch_options.cpus 9 is not allowed: a number, at most 8'), 'cpus');
  assert.equal(
    at('Bad Request (launch_options.memory "1Ti" is not allowed: at least as much as cpus)'),
    'memory'
  );
  const gpus = 'launch_options.resources["nvidia.com/gpu"] 9 is not allowed: at most 4';
  assert.equal(at(gpus), 'resources/nvidia.com/gpu');
  assert.equal(
    at('launch_options.resources["amd.com/gpu"] is not allowed'),
    'resources/nvidia.com/gpu'
  );
  assert.equal(at('launch_options.environment["A B"]: the name is not allowed'), 'environment');
  assert.equal(at('launch_options.tolerations[0].key "" is not allowed'), 'tolerations');
  assert.equal(at('your project may start no kernel'), null);
});

test('quantities are texts, and their limits have units', () => {
  const quantity = { type: ['number', 'string'], format: 'kubernetes-quantity' };
  const found = fields({
    properties: {
      cpus: { ...quantity, minimum: 0.5, maximum: 8 },
      memory: { ...quantity, maximum: 8 * 1024 ** 3 },
      spark: {
        properties: {
          'spark.driver.memory': { type: 'string', format: 'spark-size', minimum: 512 * 1024 ** 2 }
        },
        additionalProperties: false
      }
    }
  });
  assert.deepEqual(
    found.map(field => [field.kind, field.help]),
    [
      ['text', '0.5 to 8.'],
      ['text', 'At most 8Gi.'],
      ['text', 'At least 512Mi.']
    ]
  );
  const texts = new Map([
    ['cpus', '500m'],
    ['memory', '4Gi']
  ]);
  const { options, errors } = enteredOptions(found, texts, trans);
  assert.deepEqual([...errors], []);
  assert.deepEqual(options, { cpus: '500m', memory: '4Gi' });
});

test('a secret is asked for again, as nobody keeps it', () => {
  const field = fields().find(each => keyOf(each) === 'environment');
  const text = textOf(field, { environment: { MODE: 'x', TOKEN: null } });
  assert.equal(text, 'MODE=x\nTOKEN');
  assert.deepEqual(Object.fromEntries(entered({ environment: text }).errors), {
    environment: 'Enter NAME=VALUE, not "TOKEN".'
  });
  assert.deepEqual(optionLines({ environment: { MODE: 'x', TOKEN: null } }, trans), [
    ['Environment', 'MODE=x, TOKEN']
  ]);
});

test('options are listed for people', () => {
  assert.deepEqual(
    optionLines(
      { cpus: 2, environment: { A: '1', B: '2' }, node_pool: ['x', 'y'], spark: { a: { b: 1 } } },
      trans
    ),
    [
      ['CPUs', '2'],
      ['Environment', 'A=1, B=2'],
      ['Node pool', 'x, y'],
      ['Spark', 'a={"b":1}']
    ]
  );
});

test('an option of yes or no has no third choice where its default is known', () => {
  const boolean = { type: 'boolean', title: 'Only for me', default: false };
  const [field] = fields({ type: 'object', properties: { only_for_me: boolean } });
  assert.deepEqual(choicesOf(field, trans), [
    ['', 'No'],
    ['true', 'Yes']
  ]);
  assert.equal(textOf(field, { only_for_me: false }), '');
  assert.equal(textOf(field, { only_for_me: true }), 'true');
  const unknown = fields({ type: 'object', properties: { fast: { type: 'boolean' } } })[0];
  assert.deepEqual(
    choicesOf(unknown, trans).map(([, text]) => text),
    ['Default', 'Yes', 'No']
  );
  const image = fields(SCHEMA, { image: 'big:1' })[0];
  assert.deepEqual(
    choicesOf(image, trans).map(([, text]) => text),
    ['Default: big:1', 'small:1', 'big:1']
  );
});
