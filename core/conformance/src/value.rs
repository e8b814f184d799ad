//! Values as the case files have them, each with its kind: `{ int = "1" }`, `{ real = "1.0" }`.
//!
//! Numbers stand there as text, since many readers of TOML and JSON round them or cannot tell 1
//! from 1.0.

use dqlite::Value;
use serde::Deserialize;
use serde_json::json;

/// How much of a long value a report shows, in characters.
const SHOWN_MAX: usize = 80;

/// A value of a case file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tagged {
    int: Option<String>,
    real: Option<String>,
    text: Option<String>,
    blob: Option<String>,
    null: Option<bool>,
    bool: Option<bool>,
    date: Option<String>,
    datetime: Option<String>,
    surrogate: Option<String>,
    n: Option<i64>,
    times: Option<usize>,
}

/// Why there is no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// Rust has no such value: the type of what takes it rules it out.
    Unsayable,
    /// The case file is wrong.
    Wrong(String),
}

fn wrong(reason: impl Into<String>) -> NoValue {
    NoValue::Wrong(reason.into())
}

impl Tagged {
    /// The value, where the nearest count stands at `n`.
    ///
    /// # Errors
    /// See [`NoValue`].
    pub fn value(&self, n: i64) -> Result<Value, NoValue> {
        let times = self.times.unwrap_or(1);
        let mut found = Vec::new();
        found.extend(self.int.as_deref().map(integer));
        found.extend(self.real.as_deref().map(real));
        found.extend(self.text.as_deref().map(|text| Ok(Value::Text(text.repeat(times).into()))));
        found.extend(self.blob.as_deref().map(|digits| {
            let bytes = bytes_of(digits).ok_or_else(|| wrong("the blob is not in hex"))?;
            Ok(Value::Blob(bytes.repeat(times).into()))
        }));
        found.extend(self.null.map(|_| Ok(Value::Null)));
        found.extend(self.bool.map(|truth| Ok(Value::Boolean(u64::from(truth)))));
        found.extend(self.date.as_deref().map(|text| Ok(Value::Iso8601(text.into()))));
        found.extend(self.datetime.as_deref().map(|text| Ok(Value::Iso8601(text.into()))));
        found.extend(self.surrogate.as_ref().map(|_| Err(NoValue::Unsayable)));
        found.extend(self.n.map(|more| Ok(Value::Integer(n + more))));
        let repeats = self.text.is_some() || self.blob.is_some();
        match (found.pop(), found.len(), self.times.is_some() && !repeats) {
            (Some(value), 0, false) => value,
            _ => Err(wrong(format!("{self:?} is not one value"))),
        }
    }
}

fn integer(digits: &str) -> Result<Value, NoValue> {
    let unsigned = digits.strip_prefix('-').unwrap_or(digits);
    if unsigned.is_empty() || !unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(wrong(format!("{digits:?} is no integer")));
    }
    digits.parse().map(Value::Integer).map_err(|_| NoValue::Unsayable)
}

fn real(text: &str) -> Result<Value, NoValue> {
    let number = match text.strip_prefix("0x") {
        Some(digits) if digits.len() == 16 => {
            u64::from_str_radix(digits, 16).map(f64::from_bits).ok()
        }
        Some(_) => None,
        None => text.parse().ok(),
    };
    number.map(Value::Float).ok_or_else(|| wrong(format!("{text:?} is no real number")))
}

fn bytes_of(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    let pairs = digits.as_bytes().chunks(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Whether two values are the same to the last bit.
pub fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.to_bits() == other.to_bits(),
        _ => one == other,
    }
}

/// The value as logs have it.
pub fn to_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Integer(number) => json!({ "int": number.to_string() }),
        Value::Float(number) => json!({ "real": format!("0x{:016x}", number.to_bits()) }),
        Value::Text(text) => json!({ "text": &**text }),
        Value::Blob(bytes) => {
            let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "blob": digits })
        }
        Value::Boolean(truth) => json!({ "bool": *truth != 0 }),
        Value::Iso8601(text) => json!({ "datetime": &**text }),
        _ => json!({ "null": true }),
    }
}

/// The value for people, cut where it is long.
pub fn show(value: &Value) -> String {
    let text = match value {
        Value::Integer(number) => format!("int {number}"),
        Value::Float(number) => format!("real {number:?}"),
        Value::Text(text) => format!("text {:?}", text.chars().take(SHOWN_MAX).collect::<String>()),
        Value::Blob(bytes) => {
            let first = &bytes[..bytes.len().min(SHOWN_MAX)];
            return format!("blob of {} bytes {first:02x?}", bytes.len());
        }
        Value::Boolean(truth) => format!("bool {}", *truth != 0),
        Value::Iso8601(text) => format!("time {text}"),
        _ => "null".to_owned(),
    };
    text.chars().take(SHOWN_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, NoValue> {
        #[derive(Deserialize)]
        struct Holder {
            v: Tagged,
        }
        toml::from_str::<Holder>(&format!("v = {text}")).unwrap().v.value(10)
    }

    #[test]
    fn each_kind_is_read() {
        for (text, expected) in [
            ("{ int = \"-9223372036854775808\" }", Value::Integer(i64::MIN)),
            ("{ real = \"0.1\" }", Value::Float(0.1)),
            ("{ real = \"-0.0\" }", Value::Float(-0.0)),
            ("{ real = \"-inf\" }", Value::Float(f64::NEG_INFINITY)),
            ("{ real = \"0x3ff0000000000000\" }", Value::Float(1.0)),
            ("{ text = \"a\", times = 3 }", Value::Text("aaa".into())),
            ("{ blob = \"00ff\", times = 2 }", Value::Blob(vec![0, 255, 0, 255].into())),
            ("{ null = true }", Value::Null),
            ("{ bool = true }", Value::Boolean(1)),
            ("{ n = -3 }", Value::Integer(7)),
        ] {
            assert!(is_same(&value(text).unwrap(), &expected), "{text}");
        }
    }

    #[test]
    fn what_rust_cannot_say_is_told_from_what_is_wrong() {
        assert_eq!(value("{ int = \"9223372036854775808\" }"), Err(NoValue::Unsayable));
        assert_eq!(value("{ surrogate = \"d800\" }"), Err(NoValue::Unsayable));
        for text in [
            "{ int = \"1.0\" }",
            "{ int = \"\" }",
            "{ real = \"one\" }",
            "{ real = \"0x1\" }",
            "{ blob = \"0\" }",
            "{ blob = \"zz\" }",
            "{ int = \"1\", text = \"1\" }",
            "{ int = \"1\", times = 2 }",
            "{}",
        ] {
            assert!(matches!(value(text), Err(NoValue::Wrong(_))), "{text}");
        }
    }

    #[test]
    fn zeros_and_kinds_are_told_apart() {
        assert!(!is_same(&Value::Float(0.0), &Value::Float(-0.0)));
        assert!(!is_same(&Value::Float(1.0), &Value::Integer(1)));
        assert!(is_same(&Value::Float(f64::NAN), &Value::Float(f64::NAN)));
    }
}
