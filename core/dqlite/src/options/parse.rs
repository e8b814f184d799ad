//! Values of options, from text.

use std::str::FromStr;
use std::time::Duration;

use super::{OPTIONS, OptionScope};
use crate::error::Error;

fn invalid(name: &str, text: &str, wanted: &str) -> Error {
    Error::new("option.value", format!("option {name}: {text:?} is not {wanted}"))
}

pub(super) fn unknown(name: &str, scope: OptionScope) -> Error {
    let fits = |it: &&super::OptionEntry| it.scope == scope || it.scope == OptionScope::Both;
    let known: Vec<_> = OPTIONS.iter().filter(fits).map(|it| it.name).collect();
    let known = known.join(", ");
    Error::new("option.unknown", format!("there is no option {name:?}; there are {known}"))
}

pub(super) fn boolean(name: &str, text: &str) -> Result<bool, Error> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => Err(invalid(name, text, "true or false")),
    }
}

pub(super) fn number<T: FromStr>(name: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| invalid(name, text, "a number that fits"))
}

/// A number and a unit, `250ms` or `5min`; without a unit it counts seconds.
pub(super) fn duration(name: &str, text: &str) -> Result<Duration, Error> {
    let wrong = || invalid(name, text, "a time: 250ms, 10s, 2.5");
    match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).map_err(|_| wrong()),
        Err(_) => humantime::parse_duration(text).map_err(|_| wrong()),
    }
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
        assert_eq!(number::<u64>("id", "18446744073709551615").ok(), Some(u64::MAX));
        assert!(number::<u64>("id", "-1").is_err());
    }
}
