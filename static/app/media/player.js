/** Playing a file to all. */

import {text} from '../text/text.js';
import {CaptureError} from './capture.js';

/** A file that is played: its element is for our own eyes, its tracks go to the others. */
export class FilePlayer {
    /**
     * @private
     * @param {HTMLVideoElement} video
     * @param {MediaStreamTrack[]} tracks
     * @param {string} name
     */
    constructor(video, tracks, name) {
        this.video = video;
        this.tracks = tracks;
        this.name = name;
        /** @type {() => void} It came to its end. */
        this.onended = () => {};
        video.onended = () => this.onended();
    }

    /**
     * @param {File} file
     * @returns {Promise<FilePlayer>} Fails with a {@link CaptureError}.
     */
    static async open(file) {
        const video = document.createElement('video');
        const url = URL.createObjectURL(file);
        try {
            await new Promise((resolve, reject) => {
                video.onloadedmetadata = resolve;
                video.onerror = reject;
                video.src = url;
            });
            const {captureStream, mozCaptureStream} = /** @type {any} */ (video);
            const take = captureStream ?? mozCaptureStream;
            if (!take)
                throw new Error('no captureStream');
            /** @type {MediaStream} */
            const stream = take.call(video);
            await video.play();
            // Its tracks are there once it plays.
            if (stream.getTracks().length === 0)
                await new Promise((resolve) => stream.onaddtrack = resolve);
            for (const track of stream.getTracks())
                track.contentHint = track.kind === 'video' ? 'motion' : 'music';
            return new FilePlayer(video, stream.getTracks(), file.name);
        } catch {
            URL.revokeObjectURL(url);
            throw new CaptureError(text('media.file-unplayable', {name: file.name}));
        }
    }

    stop() {
        this.onended = () => {};
        this.video.pause();
        for (const track of this.tracks)
            track.stop();
        URL.revokeObjectURL(this.video.src);
        this.video.removeAttribute('src');
    }
}
