/** Many people in one window: they publish a drawn picture, and say nothing. */

/** @import {Browser} from 'puppeteer-core' */

import {newPage} from './browsers.js';

export const NAMES = ['Grace Hopper', 'Ada Lovelace', 'Émilie du Châtelet', 'Rosalind', 'Mary Jackson',
    'Katherine J.', 'Chien-Shiung Wu', 'Lise Meitner', 'Hedy', 'Sofia Kovalevskaya', 'Emmy Noether',
    'Radia Perlman', 'فاطمة المرنيسي', 'Maryam M.', 'Barbara', 'Vera Rubin', 'Jocelyn Bell', 'Annie J.',
    'Tu Youyou', 'Wangari Maathai', 'Mae', 'Sally', 'Valentina', 'Frances'];

/**
 * Lets people join; resolves when all are in.
 *
 * @param {Browser} browser
 * @param {string} url Of the server.
 * @param {string} group
 * @param {number} count
 */
export async function crowd(browser, url, group, count) {
    const {page} = await newPage(browser);
    await page.goto(`${url}/`);
    await page.evaluate(populate, group, NAMES.slice(0, count));
    return page;
}

/**
 * Runs in the page.
 *
 * @param {string} group
 * @param {string[]} names
 */
async function populate(group, names) {
    const path = '/protocol.js';
    const {ServerConnection} = await import(path);
    const status = await (await fetch(`/group/${group}/.status`)).json();
    /** @param {number} index */
    const draw = (index) => {
        const canvas = document.createElement('canvas');
        canvas.width = 320;
        canvas.height = 240;
        const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
        const hue = index * 47 % 360;
        let frame = 0;
        const paint = () => {
            const wall = context.createLinearGradient(0, 0, 320, 240);
            wall.addColorStop(0, `hsl(${hue} 28% 78%)`);
            wall.addColorStop(1, `hsl(${hue + 40} 30% 52%)`);
            context.fillStyle = wall;
            context.fillRect(0, 0, 320, 240);
            const sway = Math.sin(frame++ / 4 + index) * 4;
            context.fillStyle = `hsl(${(hue + 180) % 360} 35% ${28 + index % 4 * 7}%)`;
            context.beginPath();
            context.ellipse(160 + sway, 265, 95, 85, 0, 0, 7);
            context.fill();
            context.fillStyle = ['#f0cfb4', '#8d5a3b', '#d9a57c', '#5d3a26'][index % 4] ?? '';
            context.beginPath();
            context.ellipse(160 + sway * 1.5, 125, 44, 56, 0, 0, 7);
            context.fill();
            context.fillStyle = ['#2a1c14', '#6b4423', '#111', '#9c9c9c'][index % 4] ?? '';
            context.beginPath();
            context.ellipse(160 + sway * 1.5, 92, 48, 34, 0, 3, 6.6);
            context.fill();
        };
        paint();
        setInterval(paint, 300);
        return canvas.captureStream(4);
    };
    await Promise.all(names.map((name, index) => new Promise((resolve) => {
        const sc = new ServerConnection();
        sc.onconnected = () => sc.join(status.name, name, '');
        sc.onjoined = (/** @type {string} */ kind) => {
            if (kind !== 'join')
                return;
            const stream = sc.newUpStream();
            stream.label = 'camera';
            for (const track of draw(index).getTracks())
                stream.addTrack(track);
            if (index % 5 === 1)
                sc.userAction('setdata', sc.id, {raisehand: true});
            resolve(true);
        };
        sc.connect(status.endpoint);
    })));
}
