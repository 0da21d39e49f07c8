export * from './packet.js';
export { decodeDhcp } from './decode.js';
export { encodeDhcp } from './encode.js';
