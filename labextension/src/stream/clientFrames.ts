import type { JSONObject } from '@lumino/coreutils';

/**
 * The frames of `fleet.v1` (docs/protocols.md): `>QQ`, sequence and acknowledged, then a kernel message
 * in the layout of `v1.kernel.websocket.jupyter.org`, or nothing.
 */
const HEAD_BYTES = 16;

export interface IFrame {
  readonly sequence: number;
  readonly acknowledged: number;
  /** Null if the frame only acknowledges. */
  readonly message: ArrayBuffer | null;
}

export function packFrame(
  sequence: number,
  acknowledged: number,
  message: ArrayBuffer | null = null
): ArrayBuffer {
  const frame = new Uint8Array(HEAD_BYTES + (message?.byteLength ?? 0));
  const head = new DataView(frame.buffer);
  head.setBigUint64(0, BigInt(sequence));
  head.setBigUint64(8, BigInt(acknowledged));
  if (message) {
    frame.set(new Uint8Array(message), HEAD_BYTES);
  }
  return frame.buffer;
}

/** Throws RangeError if the bytes are no frame. */
export function unpackFrame(data: ArrayBuffer): IFrame {
  const head = new DataView(data);
  return {
    sequence: Number(head.getBigUint64(0)),
    acknowledged: Number(head.getBigUint64(8)),
    message: data.byteLength > HEAD_BYTES ? data.slice(HEAD_BYTES) : null
  };
}

/** What a message is about, by its own words. */
export interface IHeading {
  readonly channel: string;
  readonly header: { readonly msg_id: string; readonly msg_type: string };
}

/** Channel and header of a message in the v1 layout; its content is not read. */
export function headingOf(message: ArrayBuffer): IHeading {
  return { channel: part(message, 0), header: JSON.parse(part(message, 1)) as IHeading['header'] };
}

/** The content of a message in the v1 layout. */
export function contentOf(message: ArrayBuffer): JSONObject {
  return JSON.parse(part(message, 4)) as JSONObject;
}

function part(message: ArrayBuffer, at: number): string {
  const offsets = new DataView(message);
  return new TextDecoder().decode(
    message.slice(
      Number(offsets.getBigUint64(8 * (at + 1), true)),
      Number(offsets.getBigUint64(8 * (at + 2), true))
    )
  );
}
