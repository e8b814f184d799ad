//! Values of options, from text.

use std::time::Duration;

use super::{Kind, OPTIONS, Scope};
use crate::error::Error;

fn invalid(name: &str, text: &str, wanted: &str) -> Error {
    Error::new("option.value", format!("option {name}: {text:?} is not {wanted}"))
}

pub(super) fn unknown(name: &str, scope: Scope) -> Error {
    let known: Vec<_> =
        OPTIONS.iter().filter(|it| it.scopes.contains(&scope)).map(|it| it.name).collect();
    let known = known.join(", ");
    Error::new("option.unknown", format!("there is no option {name:?}; there are {known}"))
}

/// The bounds of a number or a span of time, in its unit.
fn bounds(name: &str) -> (u64, u64) {
    let found = OPTIONS.iter().find(|it| it.name == name);
    match found.map(|it| it.kind) {
        Some(Kind::Integer { min, max, .. }) => (min, max),
        Some(Kind::Duration { min_ms, max_ms, .. }) => (min_ms, max_ms),
        _ => (0, u64::MAX),
    }
}

pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(invalid(name, text, "true or false")),
    }
}

pub(super) fn number<T: TryFrom<u64>>(name: &str, text: &str) -> Result<T, Error> {
    let (min, max) = bounds(name);
    let wrong = || invalid(name, text, &format!("a number from {min} to {max}"));
    let number: u64 = text.parse().map_err(|_| wrong())?;
    if !(min..=max).contains(&number) {
        return Err(wrong());
    }
    T::try_from(number).map_err(|_| wrong())
}

/// A number and a unit, `250ms` or `5min`; without a unit it counts seconds.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, Error> {
    let wrong = || invalid(name, text, "a time: 250ms, 10s, 2.5");
    let duration = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong())?,
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong())?,
    };
    let (min_ms, max_ms) = bounds(name);
    if (u128::from(min_ms)..=u128::from(max_ms)).contains(&duration.as_millis()) {
        return Ok(duration);
    }
    Err(invalid(name, text, &format!("a time from {min_ms} ms to {max_ms} ms")))
}

pub(super) fn choice<T: Copy>(name: &str, text: &str, known: &[(&str, T)]) -> Result<T, Error> {
    let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = known.iter().map(|(word, _)| *word).collect();
        invalid(name, text, &format!("one of {}", words.join(", ")))
    })
}

pub(super) fn list(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_or_refused() {
        assert_eq!(boolean("retry", "off").ok(), Some(false));
        assert!(boolean("retry", "maybe").unwrap_err().message().contains("retry"));
        assert_eq!(duration("timeout", "0.25").ok(), Some(Duration::from_millis(250)));
        assert_eq!(duration("timeout", "5min").ok(), Some(Duration::from_secs(300)));
        for wrong in ["-1", "soon", "NaN", "1e300", "-5s"] {
            assert!(duration("timeout", wrong).is_err(), "{wrong}");
        }
        assert_eq!(list("a, b,,c"), ["a", "b", "c"]);
        assert_eq!(number::<u64>("id", "7").ok(), Some(7));
        for wrong in ["-1", "0", "x", "99999999999999999999"] {
            assert!(number::<u64>("id", wrong).is_err(), "{wrong}");
        }
    }
}
