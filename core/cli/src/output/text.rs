//! One value as text.

use dqlite_wire::Value;

/// The value as a person reads it: NULL, and blobs as SQL writes them.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(number) | Value::UnixTime(number) => number.to_string(),
        // The bits of the integer in the column, whatever its declared type makes of it.
        Value::Boolean(word) => word.cast_signed().to_string(),
        Value::Float(number) => float(*number),
        Value::Text(text) | Value::Iso8601(text) => text.to_string(),
        Value::Blob(blob) => format!("X'{}'", hexadecimal(blob)),
    }
}

/// A field of a CSV file. NULL is nothing at all, an empty text is a pair of quotes.
pub fn csv(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) | Value::Iso8601(text) => csv_text(text),
        value => plain(value),
    }
}

/// A text as a field of a CSV file.
pub fn csv_text(text: &str) -> String {
    let special = |c| matches!(c, ',' | '"' | '\n' | '\r');
    if text.is_empty() || text.contains(special) || text.trim() != text {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A row as an object of JSON. Columns of the same name stay side by side.
pub fn json_object(columns: &[String], values: &[Value]) -> String {
    let pairs = columns.iter().zip(values);
    let members: Vec<String> =
        pairs.map(|(name, value)| format!("{}:{}", json_text(name), json(value))).collect();
    format!("{{{}}}", members.join(","))
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        // JSON has no infinities.
        Value::Float(number) if !number.is_finite() => "null".to_owned(),
        Value::Text(_) | Value::Iso8601(_) | Value::Blob(_) => json_text(&plain(value)),
        value => plain(value),
    }
}

fn json_text(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c < ' ' => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// A float always shows that it is one.
fn float(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Inf" } else { "-Inf" }.to_owned();
    }
    format!("{number:?}")
}

/// Two upper-case digits a byte.
pub fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_kind() {
        assert_eq!(plain(&Value::Float(1.0)), "1.0");
        assert_eq!(plain(&Value::Float(0.1)), "0.1");
        assert_eq!(plain(&Value::Float(f64::NEG_INFINITY)), "-Inf");
        assert_eq!(plain(&Value::Integer(-5)), "-5");
        assert_eq!(plain(&Value::Boolean(u64::MAX)), "-1");
    }

    #[test]
    fn json_escapes() {
        assert_eq!(json_text("a\"\\\n\u{1}ü"), "\"a\\\"\\\\\\n\\u0001ü\"");
        assert_eq!(json(&Value::Float(f64::NAN)), "null");
        assert_eq!(json(&Value::Float(2.0)), "2.0");
    }

    #[test]
    fn csv_tells_null_from_empty() {
        assert_eq!(csv(&Value::Null), "");
        assert_eq!(csv(&Value::Text("".into())), "\"\"");
        assert_eq!(csv(&Value::Text("say \"x\"".into())), "\"say \"\"x\"\"\"");
    }
}
