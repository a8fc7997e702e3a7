import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** What tests use of Node's globals. */
const NODE = [
  'AbortController',
  'BroadcastChannel',
  'DOMException',
  'Event',
  'EventTarget',
  'Headers',
  'ReadableStream',
  'Response',
  'TextEncoder',
  'URL',
  'clearInterval',
  'clearTimeout',
  'console',
  'globalThis',
  'queueMicrotask',
  'setInterval',
  'setTimeout'
];

/** The folders of `src`: each imports only from those before it. */
const FOLDERS = [
  'page',
  'user',
  'contents',
  'outputs',
  'launches',
  'stream',
  'kernels',
  'replay',
  'access'
];

const folderRules = FOLDERS.map((folder, at) => ({
  files: [`src/${folder}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^\\.\\./(?!(?:${FOLDERS.slice(0, at).join('|') || '-'})/)`,
            message: `src/${folder} imports only from: ${FOLDERS.slice(0, at).join(', ') || 'no other folder'}.`
          }
        ]
      }
    ]
  }
}));

export default defineConfig(
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  { rules: { eqeqeq: 'error', 'no-var': 'error', 'prefer-const': 'error' } },
  {
    files: ['src/**/*.ts'],
    extends: [tseslint.configs.recommendedTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname }
    },
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_' }],
      'no-restricted-properties': [
        'error',
        {
          object: 'Date',
          property: 'now',
          message: 'It jumps when somebody sets the clock: steadyTime() does not.'
        }
      ]
    }
  },
  ...folderRules,
  {
    files: ['test/**/*.js'],
    languageOptions: { globals: Object.fromEntries(NODE.map(name => [name, 'readonly'])) }
  }
);
