//! Random values, as the case files have them, with a liking for edges.

use super::random::Random;

const INTEGERS: [&str; 16] = [
    "0",
    "1",
    "-1",
    "127",
    "-129",
    "32768",
    "8388607",
    "2147483648",
    "-2147483649",
    "140737488355328",
    "9007199254740991",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "1000000007",
];
const REALS: [&str; 14] = [
    "0.0",
    "-0.0",
    "1.0",
    "-1.5",
    "0.1",
    "1e300",
    "-1e-300",
    "5e-324",
    "1.7976931348623157e308",
    "9007199254740993.0",
    "inf",
    "-inf",
    "3.0",
    "1e15",
];
const TEXTS: [&str; 16] = [
    "",
    "a",
    "A",
    "b",
    "abc",
    "12",
    "1.5",
    "it's",
    "\\\"quoted\\\"",
    "a\\u0000b",
    "\\n\\t\\\\",
    "žluť",
    "🦆",
    "e\\u0301",
    "\\ufeffx",
    "null",
];
const BLOBS: [&str; 6] = ["", "00", "ff", "0001feff", "61", "deadbeef"];

/// A value; `Some` text of TOML.
pub(super) fn value(random: &mut Random) -> String {
    match random.below(100) {
        0..8 => "{ null = true }".to_owned(),
        8..28 => format!("{{ int = \"{}\" }}", random.one_of(&INTEGERS)),
        28..50 => format!("{{ int = \"{}\" }}", small(random)),
        50..62 => format!("{{ real = \"{}\" }}", random.one_of(&REALS)),
        62..68 => format!("{{ real = \"0x{:016x}\" }}", finite_bits(random)),
        68..84 => format!("{{ text = \"{}\" }}", random.one_of(&TEXTS)),
        84..88 => {
            let times = 1 + random.below(300);
            format!("{{ text = \"{}\", times = {times} }}", random.one_of(&TEXTS))
        }
        88..96 => format!("{{ blob = \"{}\" }}", random.one_of(&BLOBS)),
        96..98 => {
            let times = 1 + random.below(3000);
            format!("{{ blob = \"{}\", times = {times} }}", random.one_of(&BLOBS))
        }
        _ => format!("{{ bool = {} }}", random.chance(50)),
    }
}

/// A small number: often the same as another one.
pub(super) fn small(random: &mut Random) -> i64 {
    random.below(41) as i64 - 20
}

/// The bits of a number that is not NaN.
fn finite_bits(random: &mut Random) -> u64 {
    let bits = random.next();
    if f64::from_bits(bits).is_finite() { bits } else { bits & 0x800f_ffff_ffff_ffff }
}

/// A value as SQL has it.
pub(super) fn literal(random: &mut Random) -> String {
    match random.below(8) {
        0 => "NULL".to_owned(),
        1 => "'a''b'".to_owned(),
        2 => "x'00ff'".to_owned(),
        3 => format!("{}.25", small(random)),
        4 => format!("'{}'", small(random)),
        5 => random.one_of(&["9223372036854775807", "-9223372036854775808", "1e5"]).to_owned(),
        _ => small(random).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Tagged;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Holder {
        v: Tagged,
    }

    #[test]
    fn every_value_can_be_read_and_bound() {
        let mut random = Random::new(1);
        for _ in 0..3000 {
            let text = value(&mut random);
            let holder: Holder = toml::from_str(&format!("v = {text}")).unwrap();
            let value = holder.v.value(0).unwrap();
            assert!(!matches!(value, dqlite::Value::Float(number) if number.is_nan()), "{text}");
        }
    }
}
