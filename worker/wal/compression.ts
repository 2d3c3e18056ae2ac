/** Compression of large groups: what the writer and the reader need of it, and the platform's deflate. */

export interface Compression {
  /** The parts, joined and compressed, as one or more pieces. */
  compress(parts: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  /**
   * Exactly `byteLength` bytes, or `undefined` when the input is not what `compress` made of that many. Never throws for
   * bad bytes, and never holds much more than `byteLength` of output.
   */
  decompress(bytes: Uint8Array, byteLength: number): Promise<Uint8Array | undefined>;
}

export type StreamConstructors = {
  readonly CompressionStream: typeof CompressionStream;
  readonly DecompressionStream: typeof DecompressionStream;
};

/** Raw deflate by the browser's own streams. */
export function createDeflateRaw(streams: StreamConstructors): Compression {
  return {
    async compress(parts) {
      const stream = new streams.CompressionStream('deflate-raw');
      const pieces: Uint8Array[] = [];
      await Promise.all([feed(stream.writable, parts), drain(stream.readable, (piece) => pieces.push(piece) > 0)]);
      return pieces;
    },
    async decompress(bytes, byteLength) {
      const stream = new streams.DecompressionStream('deflate-raw');
      const result = new Uint8Array(byteLength);
      let length = 0;
      const take = (piece: Uint8Array): boolean => {
        if (length + piece.byteLength > byteLength) return false;
        result.set(piece, length);
        length += piece.byteLength;
        return true;
      };
      // Both ends fail together; each must be waited for, or the other's failure would go unhandled.
      const [fed, drained] = await Promise.allSettled([feed(stream.writable, [bytes]), drain(stream.readable, take)]);
      const isWhole = fed.status === 'fulfilled' && drained.status === 'fulfilled' && length === byteLength;
      return isWhole ? result : undefined;
    },
  };
}

async function feed(writable: WritableStream<BufferSource>, parts: readonly Uint8Array[]): Promise<void> {
  const writer = writable.getWriter();
  // Not awaited one by one: the stream's queue is the only buffer, and its failure shows at close as well.
  for (const part of parts) writer.write(part as Uint8Array<ArrayBuffer>).catch(() => {});
  await writer.close();
}

/** Takes pieces until the end, or until `take` refuses one. */
async function drain(readable: ReadableStream<Uint8Array>, take: (piece: Uint8Array) => boolean): Promise<void> {
  const reader = readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    if (take(value)) continue;
    await reader.cancel();
    throw new RangeError('The stream is longer than announced.');
  }
}
