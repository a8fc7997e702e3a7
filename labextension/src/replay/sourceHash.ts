import { digest } from 'lib0/hash/sha256';

/**
 * The SHA-256 of a cell's code, in hexadecimal, as the kernel's agent has it.
 *
 * Browsers have one of their own only where the page came by HTTPS.
 */
export function sourceHash(code: string): string {
  const bytes = digest(new TextEncoder().encode(code)) as Uint8Array;
  return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
}

/** Whether this is the code with this `sourceHash`, of which the start may be all that is known. */
export function isSource(code: string, source: string): boolean {
  return sourceHash(code).startsWith(source);
}
