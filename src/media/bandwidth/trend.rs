//! Whether a queue grows on the path: a line through the delays of the last groups of packets,
//! and a threshold that adapts to what is usual there (draft-ietf-rmcat-gcc-02, section 5.4, and
//! Carlucci et al., "Analysis and Design of the Google Congestion Control for WebRTC", 2016).

/// Groups that the line goes through.
const WINDOW: usize = 20;
/// How much of the old delay is kept by smoothing.
const SMOOTHING: f64 = 0.9;
/// From the slope to something that compares with the threshold in milliseconds.
const GAIN: f64 = 4.0;
/// Groups beyond which more of them do not make a slope more certain.
const MAX_GROUPS: u32 = 60;
const THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;
/// How fast the threshold rises and falls, a millisecond.
const RISE: f64 = 0.0087;
const FALL: f64 = 0.039;
/// A slope so far above the threshold is an event of its own, and not what is usual.
const OUTLIER: f64 = 15.0;
/// A queue must have grown for so long, in ms, before it counts.
const PATIENCE: f64 = 10.0;

/// What the delays say of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Usage {
    /// Its queue neither grows nor shrinks.
    #[default]
    Normal,
    /// Its queue grows: more is sent than it carries.
    Over,
    /// Its queue shrinks: it must be left to drain.
    Under,
}

/// The detector's line and threshold.
#[derive(Debug, Clone)]
pub(super) struct Trend {
    /// Arrival and smoothed delay, in ms.
    points: [(f64, f64); WINDOW],
    count: usize,
    next: usize,
    groups: u32,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    last_update: Option<f64>,
    over_for: Option<f64>,
    over_count: u32,
    last_value: f64,
    slope: f64,
    usage: Usage,
}

impl Trend {
    pub(super) fn new() -> Self {
        Self {
            points: [(0.0, 0.0); WINDOW],
            count: 0,
            next: 0,
            groups: 0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: THRESHOLD,
            last_update: None,
            over_for: None,
            over_count: 0,
            last_value: 0.0,
            slope: 0.0,
            usage: Usage::Normal,
        }
    }

    pub(super) fn usage(&self) -> Usage {
        self.usage
    }

    /// How much longer packets take than those before them: ms a ms.
    pub(super) fn slope(&self) -> f64 {
        self.slope
    }

    /// A group arrived at `arrived`; it took `delta` longer than the group before, `sent` after
    /// which it was sent. All in ms.
    pub(super) fn group(&mut self, arrived: f64, delta: f64, sent: f64) {
        self.groups = (self.groups + 1).min(MAX_GROUPS);
        self.accumulated += delta;
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points[self.next] = (arrived, self.smoothed);
        self.next = (self.next + 1) % WINDOW;
        self.count = (self.count + 1).min(WINDOW);
        // A queue that fills fast is seen before the window is full.
        if self.count >= WINDOW / 4
            && let Some(slope) = self.fit()
        {
            self.slope = slope;
        }
        let value = f64::from(self.groups) * self.slope * GAIN;
        self.judge(value, sent);
        self.adapt(value, arrived);
        self.last_value = value;
    }

    /// The slope of the line nearest to the points.
    fn fit(&self) -> Option<f64> {
        let points = &self.points[..self.count];
        let count = points.len() as f64;
        let (x, y) = points
            .iter()
            .fold((0.0, 0.0), |(x, y), point| (x + point.0, y + point.1));
        let (x, y) = (x / count, y / count);
        let (above, below) = points.iter().fold((0.0, 0.0), |(above, below), point| {
            let dx = point.0 - x;
            (above + dx * (point.1 - y), below + dx * dx)
        });
        (below > 0.0).then(|| above / below)
    }

    fn judge(&mut self, value: f64, sent: f64) {
        if value > self.threshold {
            let lasted = self.over_for.map_or(sent / 2.0, |lasted| lasted + sent);
            self.over_for = Some(lasted);
            self.over_count += 1;
            if lasted > PATIENCE && self.over_count > 1 && value >= self.last_value {
                self.over_for = Some(0.0);
                self.over_count = 0;
                self.usage = Usage::Over;
            }
        } else {
            self.over_for = None;
            self.over_count = 0;
            self.usage = if value < -self.threshold {
                Usage::Under
            } else {
                Usage::Normal
            };
        }
    }

    fn adapt(&mut self, value: f64, now: f64) {
        let elapsed = self.last_update.map_or(0.0, |last| now - last);
        self.last_update = Some(now);
        let value = value.abs();
        if value > self.threshold + OUTLIER {
            return;
        }
        let speed = if value < self.threshold { FALL } else { RISE };
        self.threshold += speed * (value - self.threshold) * elapsed.clamp(0.0, 100.0);
        self.threshold = self.threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }
}
