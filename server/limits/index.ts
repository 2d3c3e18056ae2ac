/** What one client may cost the relay. */
export {
  BURST_SECONDS,
  DEFAULT_LIMITS,
  GREETING_BYTES_MAX,
  GREETING_FRAMES_MAX,
  HELLO_TIMEOUT_MS,
  OWN_WRITERS_MAX,
  REQUESTS_WAITING_MAX,
  type RelayLimits,
  SILENT_BEATS_MAX,
} from './limits.ts';
