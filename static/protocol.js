/**
 * The client library of the Galène protocol, version 2: everything that a frontend needs to talk
 * to the server, and nothing about how it looks.
 *
 * A frontend makes one {@link ServerConnection}, sets its callbacks, connects it to the
 * `endpoint` of a group's `.status` and joins. Streams in both directions are {@link Stream}s.
 */

export {ServerConnection} from './protocol/connection.js';
export {Stream} from './protocol/stream.js';
export {randomId} from './protocol/id.js';
export {TransferredFile} from './protocol/transfer.js';
