//! Progress that can be seen: a bar on a terminal, a line now and then elsewhere.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// How often a line is written where there is no terminal.
const LINE_INTERVAL: Duration = Duration::from_secs(2);

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Bytes,
    Seconds,
}

/// One piece of work with a known size.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    lines: Option<Lines>,
}

#[derive(Debug)]
struct Lines {
    what: String,
    unit: Unit,
    total: u64,
    last: Instant,
}

impl Progress {
    /// Begins to show `what`, which has `total` units.
    pub fn begin(what: &str, total: u64, unit: Unit) -> Self {
        if !std::io::stderr().is_terminal() {
            let lines = Lines { what: what.to_owned(), unit, total, last: Instant::now() };
            return Self { bar: ProgressBar::hidden(), lines: Some(lines) };
        }
        let template = match unit {
            Unit::Bytes => "{msg} [{bar:30}] {bytes}/{total_bytes}, {bytes_per_sec}",
            Unit::Seconds => "[{bar:30}] {pos}/{len} s  {msg}",
        };
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .progress_chars("=> ");
        let bar = ProgressBar::new(total).with_style(style);
        bar.set_message(what.to_owned());
        Self { bar, lines: None }
    }

    /// Shows how far the work is.
    pub fn at(&mut self, position: u64) {
        self.bar.set_position(position);
        if let Some(lines) = &mut self.lines
            && lines.last.elapsed() >= LINE_INTERVAL
        {
            lines.last = Instant::now();
            eprintln!("{}", lines.line(position));
        }
    }

    /// Changes what is shown beside the bar.
    pub fn describe(&mut self, what: String) {
        match &mut self.lines {
            Some(lines) => lines.what = what,
            None => self.bar.set_message(what),
        }
    }

    /// Writes a line above the bar, of something that happened.
    pub fn note(&self, line: &str) {
        if self.lines.is_some() {
            eprintln!("{line}");
        } else {
            self.bar.println(line);
        }
    }

    /// Takes the bar away.
    pub fn finish(self) {
        self.bar.finish_and_clear();
    }
}

impl Lines {
    fn line(&self, position: u64) -> String {
        let Self { what, total, .. } = self;
        match self.unit {
            Unit::Seconds => format!("{position:>3}/{total} s  {what}"),
            Unit::Bytes => {
                let percent = position.saturating_mul(100).checked_div(*total).unwrap_or(100);
                format!("{what}: {percent} %")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_how_far_it_is() {
        let lines = |unit| Lines { what: "x".into(), unit, total: 200, last: Instant::now() };
        assert_eq!(lines(Unit::Bytes).line(50), "x: 25 %");
        assert_eq!(lines(Unit::Seconds).line(7), "  7/200 s  x");
        assert_eq!(Lines { total: 0, ..lines(Unit::Bytes) }.line(0), "x: 100 %");
    }
}
