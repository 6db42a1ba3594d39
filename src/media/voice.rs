//! How loud a publisher's voice is, from the level that its packets carry (RFC 6464): what tells
//! speech from the noise of a room, without a look at the sound itself.

use std::time::{Duration, Instant};

/// dB that speech is above the noise at the least.
const MARGIN: f32 = 8.0;
/// What is louder than the noise by more than this counts no more: who shouts does not win.
const LOUDEST: f32 = 40.0;
/// Where the noise is taken to lie before anything is known, and its bounds; dB above silence.
const NOISE: f32 = 60.0;
const LEAST_NOISE: f32 = 30.0;
const MOST_NOISE: f32 = 80.0;
/// The noise is the quiet between words: it is found at once, and forgotten slowly, in dB/s.
const NOISE_RISE: f32 = 2.0;
/// Of the two averages, in seconds.
const SHORT: f32 = 0.15;
const LONG: f32 = 1.0;
/// A packet stands for no more time than this: what follows was silence.
const GAP: Duration = Duration::from_millis(200);
/// Speech begins above the first of the long average, and ends below the second.
const BEGINS: f32 = 6.0;
const ENDS: f32 = 2.0;
/// … and above this of the short one.
const BEGINS_SHORT: f32 = 8.0;

/// One voice.
#[derive(Debug, Clone, Copy)]
pub struct Voice {
    noise: f32,
    short: f32,
    long: f32,
    heard: Instant,
    speaks: bool,
}

impl Voice {
    /// Nothing was heard yet.
    pub fn new(now: Instant) -> Self {
        Self {
            noise: NOISE,
            short: 0.0,
            long: 0.0,
            heard: now,
            speaks: false,
        }
    }

    /// A packet of sound of this level: 0 is the loudest, 127 silence, in -dBov.
    pub fn hear(&mut self, now: Instant, level: u8) {
        let elapsed = self.quiet_until(now).as_secs_f32();
        let loudness = 127.0 - f32::from(level.min(127));
        if loudness < self.noise {
            self.noise += (loudness - self.noise) * 0.2;
        } else {
            self.noise += NOISE_RISE * elapsed;
        }
        self.noise = self.noise.clamp(LEAST_NOISE, MOST_NOISE);
        let activity = (loudness - self.noise - MARGIN).clamp(0.0, LOUDEST);
        self.average(activity, elapsed);
    }

    /// Time has passed, perhaps in silence: senders may say nothing then (DTX).
    pub fn settle(&mut self, now: Instant) {
        if now.saturating_duration_since(self.heard) > GAP {
            let elapsed = now.saturating_duration_since(self.heard).as_secs_f32();
            self.heard = now;
            self.average(0.0, elapsed);
        }
        if self.speaks {
            self.speaks = self.long > ENDS;
        } else {
            self.speaks = self.long > BEGINS && self.short > BEGINS_SHORT;
        }
    }

    /// What was not heard since the last packet was silence, but for what that packet stands for.
    /// Returns that.
    fn quiet_until(&mut self, now: Instant) -> Duration {
        let elapsed = now.saturating_duration_since(self.heard);
        self.heard = self.heard.max(now);
        if elapsed > GAP {
            self.average(0.0, (elapsed - GAP).as_secs_f32());
        }
        elapsed.min(GAP)
    }

    fn average(&mut self, activity: f32, elapsed: f32) {
        self.short += (activity - self.short) * (1.0 - (-elapsed / SHORT).exp());
        self.long += (activity - self.long) * (1.0 - (-elapsed / LONG).exp());
    }

    /// It is speech, as of the last [`Self::settle`].
    pub fn speaks(&self) -> bool {
        self.speaks
    }

    /// How loud it is now, beyond noise: 0 to 40.
    pub fn loudness(&self) -> f32 {
        self.short
    }

    /// How much it has spoken in the last second, 0 to 40.
    pub fn strength(&self) -> f32 {
        self.long
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// Says so many packets, of levels that come in turn.
    fn say(voice: &mut Voice, now: &mut Instant, packets: usize, levels: &[u8]) {
        for level in levels.iter().cycle().take(packets) {
            *now += PACKET;
            voice.hear(*now, *level);
        }
        voice.settle(*now);
    }

    #[test]
    fn speech_is_found_within_half_a_second_and_its_end_within_three() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        say(&mut voice, &mut now, 100, &[62, 65, 60]);
        assert!(!voice.speaks(), "a quiet room");
        say(&mut voice, &mut now, 25, &[30, 28, 35, 40]);
        assert!(voice.speaks());
        say(&mut voice, &mut now, 15, &[62]);
        assert!(voice.speaks(), "a pause between words");
        say(&mut voice, &mut now, 150, &[62]);
        assert!(!voice.speaks());
    }

    #[test]
    fn a_loud_room_is_no_speech_for_long() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        // An air conditioner at -40 dBov.
        say(&mut voice, &mut now, 1_000, &[40]);
        assert!(!voice.speaks());
        say(&mut voice, &mut now, 50, &[22, 25, 40]);
        assert!(voice.speaks(), "someone speaks in it");
    }

    #[test]
    fn who_falls_silent_without_a_packet_speaks_no_more() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        say(&mut voice, &mut now, 50, &[30]);
        assert!(voice.speaks());
        voice.settle(now + Duration::from_secs(4));
        assert!(!voice.speaks());
    }

    #[test]
    fn a_knock_is_no_speech() {
        let mut now = Instant::now();
        let mut voice = Voice::new(now);
        say(&mut voice, &mut now, 100, &[65]);
        say(&mut voice, &mut now, 4, &[10]);
        assert!(!voice.speaks());
    }

    #[test]
    fn a_clock_that_stands_still_breaks_nothing() {
        let now = Instant::now();
        let mut voice = Voice::new(now);
        for level in 0..=255 {
            voice.hear(now, level);
        }
        voice.settle(now);
        assert!(voice.strength().is_finite());
    }
}
