export { type Compression, createDeflateRaw, type StreamConstructors } from './compression.ts';
export {
  quarantineTail,
  type ReadWalOptions,
  readWal,
  type WalFault,
  type WalGroup,
  type WalReading,
  type WalReport,
} from './wal-reader.ts';
export {
  COMPRESS_BYTES_MIN,
  createWalWriter,
  type WalAppended,
  type WalGroupWrite,
  type WalWriter,
  type WalWriterOptions,
} from './wal-writer.ts';
