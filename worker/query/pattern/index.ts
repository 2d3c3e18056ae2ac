export { type Pattern, parsePattern } from './pattern.ts';
