/** @import {TransferredFile} from './transfer.js' */

/** The protocol allows no larger messages, bytes. */
const CHUNK = 16384;
/** Read from the file at a time, bytes. */
const READ = 64 * CHUNK;
/** The browser is given no more than this ahead of the network, bytes. */
const AHEAD = 1024 * 1024;
/** Without a sink so much is gathered before it is handed to the browser to keep, bytes. */
const GATHER = 4 * 1024 * 1024;

/** The sending end of a file's data channel. */
export class FileSender {
    /** @param {TransferredFile} transfer @param {RTCDataChannel} channel @param {File} file */
    constructor(transfer, channel, file) {
        this.transfer = transfer;
        this.channel = channel;
        channel.bufferedAmountLowThreshold = AHEAD / 2;
        channel.onmessage = ({data}) => {
            if (data === 'done' && transfer.state === 'connected'
                && transfer.datalen === transfer.size) {
                transfer.event('done');
                transfer.close();
            }
        };
        channel.onclose = () => transfer.cancelled('the connection was closed');
        const begin = async () => {
            transfer.event('connected');
            try {
                await this.send(file);
            } catch (error) {
                transfer.cancel(error instanceof Error ? error.message : String(error));
            }
        };
        if (channel.readyState === 'open')
            void begin();
        else
            channel.onopen = begin;
    }

    /** @private @param {File} file */
    async send(file) {
        const {transfer, channel} = this;
        const read = (/** @type {number} */ at) => file.slice(at, at + READ).arrayBuffer();
        let next = read(0);
        for (let at = 0; at < file.size; at += READ) {
            const data = await next;
            // While this is sent the next is read.
            next = read(at + READ);
            next.catch(() => {});
            for (let from = 0; from < data.byteLength; from += CHUNK) {
                if (channel.bufferedAmount > AHEAD)
                    await this.drained();
                if (transfer.ended)
                    return;
                const chunk = data.slice(from, from + CHUNK);
                channel.send(chunk);
                transfer.datalen += chunk.byteLength;
            }
            transfer.event('connected');
        }
    }

    /** @private @returns {Promise<void>} */
    drained() {
        const {channel} = this;
        return new Promise((resolve) => {
            const go = () => {
                channel.removeEventListener('bufferedamountlow', go);
                channel.removeEventListener('close', go);
                resolve();
            };
            channel.addEventListener('bufferedamountlow', go);
            channel.addEventListener('close', go);
        });
    }

    close() {
        this.channel.onclose = null;
        this.channel.close();
    }
}

/** The receiving end: writes what comes to a sink, or keeps it. */
export class FileReceiver {
    /**
     * @param {TransferredFile} transfer
     * @param {RTCDataChannel} channel
     * @param {WritableStream<Uint8Array> | null} sink
     */
    constructor(transfer, channel, sink) {
        this.transfer = transfer;
        this.channel = channel;
        this.writer = sink?.getWriter() ?? null;
        /** Large pieces, which the browser may keep on disk. @type {Blob[]} */
        this.blobs = [];
        /** @type {ArrayBuffer[]} */
        this.gathered = [];
        this.gatheredBytes = 0;
        channel.binaryType = 'arraybuffer';
        channel.onopen = () => {
            transfer.event('connected');
            // An empty file is whole at once.
            if (transfer.size === 0)
                void this.finish();
        };
        channel.onmessage = ({data}) => this.take(data);
        channel.onclose = () => {
            if (transfer.datalen < transfer.size)
                transfer.cancelled('the connection was closed');
            else if (transfer.state === 'done')
                transfer.close();
        };
    }

    /** @private @param {unknown} data */
    take(data) {
        const {transfer} = this;
        if (!(data instanceof ArrayBuffer) || transfer.state !== 'connected')
            return;
        transfer.datalen += data.byteLength;
        if (transfer.datalen > transfer.size)
            return transfer.cancel('more data than was announced');
        this.gathered.push(data);
        this.gatheredBytes += data.byteLength;
        const whole = transfer.datalen === transfer.size;
        if (whole || this.gatheredBytes >= (this.writer ? READ : GATHER))
            this.flush();
        transfer.event('connected', data);
        if (whole)
            void this.finish();
    }

    /** @private Hands on what was gathered. */
    flush() {
        if (this.writer) {
            // In their order by themselves; a failure, such as a full disk, comes to light here.
            const bytes = new Uint8Array(this.gatheredBytes);
            let at = 0;
            for (const part of this.gathered) {
                bytes.set(new Uint8Array(part), at);
                at += part.byteLength;
            }
            this.writer.write(bytes).catch((error) => this.transfer.cancel(String(error)));
        } else {
            this.blobs.push(new Blob(this.gathered));
        }
        this.gathered = [];
        this.gatheredBytes = 0;
    }

    /** @private */
    async finish() {
        const {transfer, channel} = this;
        try {
            await this.writer?.close();
        } catch (error) {
            return transfer.cancel(String(error));
        }
        if (transfer.ended)
            return;
        if (channel.readyState === 'open')
            channel.send('done');
        transfer.event('done', this.writer ? undefined
            : new Blob(this.blobs, {type: transfer.mimetype}));
        // The other side hangs up; one that does not is not waited for.
        if (channel.readyState !== 'open')
            transfer.close();
        else
            setTimeout(() => transfer.close(), 10_000);
    }

    /** @param {boolean} whole */
    close(whole) {
        this.channel.onclose = null;
        this.channel.close();
        if (!whole)
            this.writer?.abort().catch(() => {});
        this.blobs = this.gathered = [];
    }
}
